// Whether the upstream takes settings of the gate's own: a server before 9.2 and some poolers refuse a login with them.

import type { Settings } from '../config/schema.ts';

/** What is known of one upstream; one at a time. */
export class IdentityMemory {
  readonly #onRefused: (upstream: string) => void;
  #upstream = '';
  #takes: boolean | null = null;

  /** @param onRefused called when this process has found out that an upstream takes none, with its name */
  constructor(onRefused: (upstream: string) => void = () => {}) {
    this.#onRefused = onRefused;
  }

  /** Null = nobody knows yet. */
  takes(settings: Pick<Settings, 'upstream'>): boolean | null {
    return this.#upstream === nameOf(settings) ? this.#takes : null;
  }

  /** A refusal that the client has seen: the next login tries whether the upstream takes them. */
  doubt(): void {
    this.#takes = null;
  }

  /** Notes what a login has shown; true = that is news. */
  note(settings: Pick<Settings, 'upstream'>, takes: boolean): boolean {
    const isNews = this.takes(settings) !== takes;
    this.#upstream = nameOf(settings);
    this.#takes = takes;
    if (isNews && !takes) this.#onRefused(this.#upstream);
    return isNews;
  }

  /** Another process has found out that this upstream takes none. */
  refused(upstream: string): void {
    this.#upstream = upstream;
    this.#takes = false;
  }
}

/** A reload that names another upstream or prefix makes the gate try again. */
function nameOf({ upstream: { host, port, identity_prefix: prefix } }: Pick<Settings, 'upstream'>): string {
  return JSON.stringify([host, port, prefix]);
}
