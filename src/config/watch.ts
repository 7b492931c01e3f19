// Notices that a file in use has other content, by reading it: times and inode numbers say nothing where Kubernetes
// swaps symlinks. Looks every reload.interval, while reload.watch is on.

import type { ConfigHolder } from './snapshot.ts';
import { digestSource, type Sources } from '../base/sources.ts';

/** Calls back once after a delay, unless the returned function is called before. */
export type Schedule = (callback: () => Promise<void>, delayMs: number) => () => void;

export interface WatcherOptions {
  /** What a changed content leads to, a reload of `holder` among it. Awaited; must not reject. */
  readonly onChange?: () => unknown;
  /** The timer; tests drive their own. */
  readonly schedule?: Schedule;
}

export interface Watcher {
  stop(): void;
}

/**
 * Watches every file that the holder's last load read or looked for. A content is compared with what that load
 * saw, so nothing that changes during a load is missed, and a state that could not be loaded (half written, say) is
 * tried again when it has changed again, not before. Looks never overlap. The timer keeps no process alive.
 */
export function createWatcher(
  holder: Pick<ConfigHolder, 'current' | 'sources' | 'reload'>,
  { onChange = () => holder.reload(), schedule = unrefTimeout }: WatcherOptions = {},
): Watcher {
  const looker = new Looker();
  let stopped = false;
  let cancel = scheduleNext();

  function scheduleNext(): () => void {
    return schedule(look, holder.current.settings.reload.interval);
  }

  async function look(): Promise<void> {
    try {
      if (!holder.current.settings.reload.watch) return;
      const { sources } = holder;
      const changed = await looker.hasChanged(sources);
      // A reload of someone else's in the meantime has seen what was seen here, or newer.
      if (changed && !stopped && holder.sources === sources) await onChange();
    } finally {
      if (!stopped) cancel = scheduleNext();
    }
  }

  return {
    stop() {
      stopped = true;
      cancel();
    },
  };
}

/** Compares sources with the disk; remembers what the load could not know. */
class Looker {
  #sources: Sources | null = null;
  readonly #firstSeen = new Map<string, string | null>();

  async hasChanged(sources: Sources): Promise<boolean> {
    if (sources !== this.#sources) this.#firstSeen.clear();
    this.#sources = sources;
    let changed = false;
    for (const [path, { kind, digest }] of sources) {
      const now = await digestSource(path, kind);
      const before = digest ?? this.#firstSeen.get(path);
      if (before === undefined) this.#firstSeen.set(path, now);
      else if (now !== before) changed = true;
    }
    return changed;
  }
}

function unrefTimeout(callback: () => Promise<void>, delayMs: number): () => void {
  const timer = setTimeout(() => void callback(), delayMs).unref();
  return () => clearTimeout(timer);
}
