// The loop: takes an input of the corpus, mutates it, runs it, keeps it when it reaches something new, and reports it
// when it breaks a promise. The same seed gives the same inputs, as long as the target is as deterministic.

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Instrumented } from './instrument.ts';
import { Mutator } from './mutate.ts';
import { BrokenInvariantError, type Target } from './target.ts';
import type { Watchdog } from './watchdog.ts';

export interface FuzzOptions {
  readonly target: Target;
  readonly coverage: Instrumented;
  readonly seed: number;
  /** Ends after this time, … */
  readonly seconds: number;
  /** … or after so many inputs. */
  readonly executions?: number;
  /** Inputs kept from earlier: regressions, a saved corpus. */
  readonly corpus?: readonly Buffer[];
  readonly watchdog?: Watchdog;
  /** Called with each finding as it was met, before it is made small. */
  readonly onFinding?: (finding: Finding) => void;
  /** Called now and then. */
  readonly onProgress?: (progress: Progress) => void;
}

export interface Finding {
  readonly input: Buffer;
  readonly error: unknown;
}

export interface Progress {
  readonly executions: number;
  readonly seconds: number;
  readonly corpus: number;
  /** Blocks of src/ reached, of those in the modules that were loaded. */
  readonly reached: number;
  readonly blocks: number;
  readonly rssBytes: number;
  readonly findings: number;
}

export interface FuzzResult extends Progress {
  /** One input for each kind of error, made small. */
  readonly found: readonly Finding[];
  readonly corpusInputs: readonly Buffer[];
}

/** Resident memory may grow by so much while a target runs; inputs are small and nothing may be kept of them. */
const MAX_GROWTH_BYTES = 512 * 1024 * 1024;
const PROGRESS_EVERY_MS = 5_000;
const MAX_FINDINGS = 20;
const MAX_SHRINKING_RUNS = 400;
const MAX_SHRINKING_MS = 30_000;
/** Inputs in one turn of the event loop at most: weak references are let go of between turns only. */
const INPUTS_PER_TURN = 64;

/** Fuzzes one target. */
export async function fuzz(options: FuzzOptions): Promise<FuzzResult> {
  return await new Run(options).toEnd();
}

class Run {
  readonly #options: FuzzOptions;
  readonly #novelty: Novelty;
  readonly #mutator: Mutator;
  readonly #corpus: Buffer[] = [];
  readonly #found = new Map<string, Finding>();
  readonly #began = performance.now();
  /** What happened outside every promise while an input ran. */
  #stray: { readonly error: unknown } | null = null;
  #executions = 0;
  #startRss = 0;
  #rss = 0;

  constructor(options: FuzzOptions) {
    const { target, coverage, seed } = options;
    this.#options = options;
    this.#novelty = new Novelty(coverage);
    const own = (target.dictionary ?? []).map((token) => Buffer.from(token));
    // The target's own tokens are tried as often as all literals together.
    const repeat = own.length === 0 ? 0 : Math.max(1, Math.floor(coverage.literals.length / own.length));
    const tokens = [...coverage.literals, ...Array.from({ length: repeat }, () => own).flat()];
    this.#mutator = new Mutator(seed, tokens, target.maxLength);
  }

  async toEnd(): Promise<FuzzResult> {
    const { target, corpus = [], seconds, executions = Number.POSITIVE_INFINITY } = this.#options;
    const onStray = (error: unknown): void => void (this.#stray ??= { error });
    process.on('uncaughtException', onStray).on('unhandledRejection', onStray);
    try {
      for (const seed of [Buffer.alloc(0), ...target.seeds, ...corpus]) await this.#try(Buffer.from(seed));
      if (this.#corpus.length === 0) this.#corpus.push(Buffer.alloc(0));
      this.#startRss = process.memoryUsage.rss();
      let nextProgress = PROGRESS_EVERY_MS;
      while (this.#elapsedMs < seconds * 1000 && this.#executions < executions) {
        if (this.#found.size >= MAX_FINDINGS) break;
        await this.#try(this.#mutator.mutate(this.#parent(), this.#mutator.pick(this.#corpus)));
        if (this.#elapsedMs > nextProgress) {
          nextProgress += PROGRESS_EVERY_MS;
          this.#checkMemory();
          this.#options.onProgress?.(this.#progress());
        }
      }
      this.#checkMemory();
    } finally {
      process.off('uncaughtException', onStray).off('unhandledRejection', onStray);
    }
    return { ...this.#progress(), found: [...this.#found.values()], corpusInputs: this.#corpus };
  }

  get #elapsedMs(): number {
    return performance.now() - this.#began;
  }

  /** The latest finds have been mutated least, so half of the time it is one of them. */
  #parent(): Buffer {
    const recent = this.#corpus.slice(-16);
    return this.#mutator.pick(this.#mutator.below(2) === 0 ? recent : this.#corpus);
  }

  async #try(input: Buffer): Promise<void> {
    if (this.#executions++ % INPUTS_PER_TURN === 0) await nextTurn();
    this.#novelty.clear();
    const error = await this.#fault(input);
    if (this.#novelty.found()) this.#corpus.push(input);
    if (error === null) return;
    const kind = kindOf(error.error);
    if (this.#found.has(kind)) return;
    // Taken as known first: shrinking must not find it again.
    this.#found.set(kind, { input, error: error.error });
    this.#options.onFinding?.({ input, error: error.error });
    this.#found.set(kind, { input: await this.#shrunk(input, kind), error: error.error });
  }

  async #fault(input: Buffer): Promise<{ readonly error: unknown } | null> {
    const { target, watchdog } = this.#options;
    watchdog?.begin(input);
    const begin = process.cpuUsage();
    try {
      // A copy, since a target may write to what it gets.
      const running = target.run(Buffer.from(input));
      if (running !== undefined) await running;
    } catch (error) {
      return { error };
    } finally {
      watchdog?.end();
    }
    const { user, system } = process.cpuUsage(begin);
    const stray = this.#stray;
    this.#stray = null;
    if (stray !== null) return stray;
    const tookMs = (user + system) / 1000;
    return tookMs <= target.limitMs || (await this.#isQuick(input)) ? null : { error: tooSlow(target) };
  }

  /** Compilation and garbage collection fall on one input by chance; slow is what is slow every time. */
  async #isQuick(input: Buffer): Promise<boolean> {
    const { target } = this.#options;
    for (let attempt = 0; attempt < 3; attempt++) {
      const begin = process.cpuUsage();
      await target.run(Buffer.from(input));
      const { user, system } = process.cpuUsage(begin);
      if ((user + system) / 1000 <= target.limitMs) return true;
    }
    return false;
  }

  /** Takes pieces away, large ones first, as long as the error stays the same. */
  async #shrunk(input: Buffer, kind: string): Promise<Buffer> {
    let smallest = input;
    let runs = 0;
    const deadline = performance.now() + MAX_SHRINKING_MS;
    const mayGoOn = (): boolean => runs < MAX_SHRINKING_RUNS && performance.now() < deadline;
    for (let size = Math.ceil(input.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      for (let at = 0; at < smallest.length && mayGoOn();) {
        const candidate = Buffer.concat([smallest.subarray(0, at), smallest.subarray(at + size)]);
        runs++;
        const error = await this.#fault(candidate);
        if (error !== null && kindOf(error.error) === kind) smallest = candidate;
        else at += size;
      }
    }
    return smallest;
  }

  #checkMemory(): void {
    this.#rss = process.memoryUsage.rss();
    if (this.#startRss === 0 || this.#rss - this.#startRss <= MAX_GROWTH_BYTES) return;
    const error = new BrokenInvariantError(`resident memory grew by more than ${MAX_GROWTH_BYTES} bytes`);
    this.#found.set(kindOf(error), { input: Buffer.alloc(0), error });
  }

  #progress(): Progress {
    return {
      executions: this.#executions,
      seconds: this.#elapsedMs / 1000,
      corpus: this.#corpus.length,
      reached: this.#novelty.reached,
      blocks: this.#options.coverage.blocks,
      rssBytes: this.#rss,
      findings: this.#found.size,
    };
  }
}

/** Tells whether an input reached a block, or reached it about as often, as none before it. */
class Novelty {
  readonly #coverage: Instrumented;
  /** For each block the magnitudes of its counts so far, a bit each. */
  readonly #seen: Uint8Array;

  constructor(coverage: Instrumented) {
    this.#coverage = coverage;
    this.#seen = new Uint8Array(coverage.counts.length);
  }

  get reached(): number {
    return this.#seen.reduce((sum, bits) => sum + (bits === 0 ? 0 : 1), 0);
  }

  clear(): void {
    this.#coverage.counts.fill(0, 0, this.#coverage.blocks);
  }

  /** Asks once for an input, and remembers. */
  found(): boolean {
    const { counts, blocks } = this.#coverage;
    let isNew = false;
    for (let block = 0; block < blocks; block++) {
      const count = counts[block]!;
      if (count === 0) continue;
      const bit = magnitude(count);
      if ((this.#seen[block]! & bit) !== 0) continue;
      this.#seen[block]! |= bit;
      isNew = true;
    }
    return isNew;
  }
}

/** 1, 2, 3, 4 to 7, 8 to 15, 16 to 31, 32 to 127, more: a bit each. */
function magnitude(count: number): number {
  if (count < 4) return 1 << (count - 1);
  if (count < 8) return 1 << 3;
  if (count < 16) return 1 << 4;
  if (count < 32) return 1 << 5;
  return count < 128 ? 1 << 6 : 1 << 7;
}

function tooSlow({ limitMs }: Target): BrokenInvariantError {
  return new BrokenInvariantError(`an input takes more than ${limitMs} ms of CPU time`);
}

/** Errors of one kind have the same name and come from the same place; their texts may quote the input. */
function kindOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof BrokenInvariantError) return error.message.slice(0, 60);
  const place = (error.stack ?? '').split('\n').find((line) => line.trim().startsWith('at '));
  return `${error.name} ${place?.trim() ?? ''}`;
}
