// Notices that a file in use has other content. Looks every reload.interval, while reload.watch is on: at what each path
// leads to, Kubernetes' swapped links included, and at the content where that has changed. Reading every file every five
// seconds would be most of what an idle gate does.

import type { ConfigHolder } from './snapshot.ts';
import { statusOf } from '../base/regular-file.ts';
import { digestSource, type Source, type Sources } from '../base/sources.ts';
import { errnoOf } from '../base/system-error.ts';

/**
 * A file that was changed this short a time ago, in milliseconds, may be changed again without another time: some file
 * systems count in seconds. Its content is read at each look.
 */
const SETTLES_AFTER_MS = 3_000;

/** A content is read this often, in milliseconds, whatever its status says: a file server's clock may be wrong. */
const CONTENT_EVERY_MS = 60_000;

/** Calls back once after a delay, unless the returned function is called before. */
export type Schedule = (callback: () => Promise<void>, delayMs: number) => () => void;

export interface WatcherOptions {
  /** What a changed content leads to, a reload of `holder` among it. Awaited; must not reject. */
  readonly onChange?: () => unknown;
  /** The timer; tests drive their own. */
  readonly schedule?: Schedule;
  /** Milliseconds since 1970; tests drive their own clock. */
  readonly now?: () => number;
}

export interface Watcher {
  /** To be called after each reload, whoever asked for it: a new reload.interval counts from then on. */
  reloaded(): void;
  stop(): void;
}

/**
 * Watches every file that the holder's last load read or looked for. A content is compared with what that load
 * saw, so nothing that changes during a load is missed, and a state that could not be loaded (half written, say) is
 * tried again when it has changed again, not before. Looks never overlap. The timer keeps no process alive.
 */
export function createWatcher(
  holder: Pick<ConfigHolder, 'current' | 'sources' | 'reload'>,
  { onChange = () => holder.reload(), schedule = unrefTimeout, now = Date.now }: WatcherOptions = {},
): Watcher {
  const looker = new Looker(now);
  let stopped = false;
  let looking = false;
  let intervalMs = 0;
  let cancel = scheduleNext();

  function scheduleNext(): () => void {
    intervalMs = holder.current.settings.reload.interval;
    return schedule(look, intervalMs);
  }

  async function look(): Promise<void> {
    looking = true;
    try {
      if (!holder.current.settings.reload.watch) return;
      const { sources } = holder;
      const changed = await looker.hasChanged(sources);
      // A reload of someone else's in the meantime has seen what was seen here, or newer.
      if (changed && !stopped && holder.sources === sources) await onChange();
    } finally {
      looking = false;
      if (!stopped) cancel = scheduleNext();
    }
  }

  return {
    reloaded() {
      // A look that is under way sets the next timer itself. A timer that has the interval in force stays: reloads that
      // come one after the other would put the look off for ever.
      if (stopped || looking || intervalMs === holder.current.settings.reload.interval) return;
      cancel();
      cancel = scheduleNext();
    },
    stop() {
      stopped = true;
      cancel();
    },
  };
}

/** A content as it was read. */
interface Seen {
  /** What the path led to before it was read; null = too young to tell anything. */
  readonly identity: string | null;
  readonly digest: string | null;
  readonly at: number;
}

/** Compares sources with the disk; remembers what the load could not know. */
class Looker {
  readonly #now: () => number;
  #sources: Sources | null = null;
  readonly #firstSeen = new Map<string, string | null>();
  readonly #seen = new Map<string, Seen>();

  constructor(now: () => number) {
    this.#now = now;
  }

  async hasChanged(sources: Sources): Promise<boolean> {
    if (sources !== this.#sources) {
      this.#firstSeen.clear();
      this.#seen.clear();
    }
    this.#sources = sources;
    let changed = false;
    for (const [path, { kind, digest }] of sources) {
      const now = await this.#digest(path, kind);
      const before = digest ?? this.#firstSeen.get(path);
      if (before === undefined) this.#firstSeen.set(path, now);
      else if (now !== before) changed = true;
    }
    return changed;
  }

  /** What a source is now, by its content unless the path leads to what it led to when that was read. */
  async #digest(path: string, kind: Source['kind']): Promise<string | null> {
    const at = this.#now();
    let identity: string | null = null;
    try {
      const status = await statusOf(path);
      if (at - status.changedAtMs >= SETTLES_AFTER_MS) identity = status.identity;
    } catch (error) {
      return errnoOf(error);
    }
    const seen = this.#seen.get(path);
    const isRecent = seen !== undefined && at >= seen.at && at - seen.at < CONTENT_EVERY_MS;
    if (isRecent && identity !== null && identity === seen.identity) return seen.digest;
    // The status is the older of the two: what changes in between has another one at the next look.
    const digest = await digestSource(path, kind);
    this.#seen.set(path, { identity, digest, at });
    return digest;
  }
}

function unrefTimeout(callback: () => Promise<void>, delayMs: number): () => void {
  const timer = setTimeout(() => void callback(), delayMs).unref();
  return () => clearTimeout(timer);
}
