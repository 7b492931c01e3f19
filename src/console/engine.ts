// The console's end of the engine: one process for each console that asks for SQL, started with its first statement and
// killed when a statement takes too long.

import type { ChildProcess } from 'node:child_process';
import { besides, forkPart } from '../base/own-process.ts';
import type { EngineRequest, EngineResponse } from './engine-messages.ts';

/** How long a statement may run, in milliseconds (contract §14). */
const STATEMENT_TIMEOUT_MS = 5_000;

/** An engine that nobody has asked for so long is ended, in milliseconds: a console left open costs no memory. */
const IDLE_MS = 60_000;

/** Runs statements one after another. */
export class Engine {
  #child: ChildProcess | null = null;
  #stop: ((response: EngineResponse) => void) | null = null;
  #isClosed = false;
  #idle: NodeJS.Timeout | null = null;

  /** Runs one statement; resolves with an error of SQLSTATE 57014 when it takes too long or is cancelled. */
  async run(request: EngineRequest): Promise<EngineResponse> {
    if (this.#isClosed) return { kind: 'error', sqlstate: '57P01', message: 'the console is closed' };
    if (this.#idle !== null) clearTimeout(this.#idle);
    const child = (this.#child ??= this.#start());
    return await new Promise<EngineResponse>((resolve) => {
      const finish = (response: EngineResponse): void => {
        clearTimeout(timer);
        this.#stop = null;
        child.off('message', onMessage).off('exit', onExit).off('error', onExit);
        if (this.#child !== null) this.#idle = setTimeout(() => this.#kill(''), IDLE_MS).unref();
        resolve(response);
      };
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the other side is this program too
      const onMessage = (message: unknown): void => finish(message as EngineResponse);
      const onExit = (): void => {
        this.#child = null;
        finish({ kind: 'error', sqlstate: '57P01', message: 'the SQL engine has ended' });
      };
      const timer = setTimeout(
        () => this.#kill('canceling statement due to statement timeout'),
        STATEMENT_TIMEOUT_MS,
      );
      this.#stop = finish;
      child.on('message', onMessage).on('exit', onExit).on('error', onExit);
      child.send(request);
    });
  }

  /** Ends the statement that runs, as a cancel request does; nothing happens when none runs. */
  cancel(): void {
    if (this.#stop !== null) this.#kill('canceling statement due to user request');
  }

  /** Ends the engine's process. */
  close(): void {
    this.#isClosed = true;
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#kill('the console is closed');
  }

  /** One that ends while nobody asks it anything is forgotten: the next statement starts another. */
  #start(): ChildProcess {
    const child = start();
    const forget = (): void => {
      if (this.#child === child) this.#child = null;
    };
    return child.once('disconnect', forget).once('exit', forget);
  }

  #kill(message: string): void {
    const child = this.#child;
    this.#child = null;
    child?.kill('SIGKILL');
    this.#stop?.({ kind: 'error', sqlstate: '57014', message });
  }
}

function start(): ChildProcess {
  const child = forkPart('console-engine', besides(import.meta.url, 'engine-process'), {
    serialization: 'advanced',
    // SECURITY: whatever the gate's environment holds is none of a statement's business.
    env: {},
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    execArgv: ['--disable-warning=ExperimentalWarning', '--disable-sigusr1'],
  });
  // It must not keep the gate alive, nor end it by an error that nobody listens to.
  child.unref();
  child.channel?.unref();
  child.on('error', () => {});
  return child;
}
