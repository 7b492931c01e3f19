// What a fuzzer is: a function of bytes that throws when a promise is broken, with inputs to begin from.

/** One thing to fuzz. */
export interface Target {
  /** Inputs that reach deep; the first generation of the corpus. */
  readonly seeds: readonly Uint8Array[];
  /** Tokens worth inserting, besides the literals found in the code under test. */
  readonly dictionary?: readonly (string | Uint8Array)[];
  /** Longest input, in bytes. */
  readonly maxLength: number;
  /** CPU time that one input may take, in milliseconds. */
  readonly limitMs: number;
  /** Runs one input. Whatever it throws, or rejects with, is a finding; expected refusals are its own to catch. */
  readonly run: (input: Buffer) => void | Promise<void>;
  /** Ends what the target has started. */
  readonly close?: () => Promise<void>;
}

/** Every target, by the name that `--target` takes; made only after src/ is being instrumented. */
export const targets = {
  opening: async () => (await import('./targets/opening.ts')).openingTarget(),
  startup: async () => (await import('./targets/startup.ts')).startupTarget(),
  login: async () => (await import('./targets/login.ts')).loginTarget(),
  boundaries: async () => (await import('./targets/boundaries.ts')).boundariesTarget(),
  'client-hello': async () => (await import('./targets/client-hello.ts')).clientHelloTarget(),
  'proxy-header': async () => (await import('./targets/proxy-header.ts')).proxyHeaderTarget(),
  hba: async () => (await import('./targets/rules.ts')).hbaTarget(),
  ident: async () => (await import('./targets/rules.ts')).identTarget(),
  hosts: async () => (await import('./targets/hosts.ts')).hostsTarget(),
  userlist: async () => (await import('./targets/passwords.ts')).userlistTarget(),
  scram: async () => (await import('./targets/passwords.ts')).scramTarget(),
  catalog: async () => (await import('./targets/catalog.ts')).catalogTarget(),
  settings: async () => (await import('./targets/settings.ts')).settingsTarget(),
  pattern: async () => (await import('./targets/pattern.ts')).patternTarget(),
  der: async () => (await import('./targets/der.ts')).derTarget(),
  admin: async () => (await import('./targets/admin.ts')).adminTarget(),
  console: async () => (await import('./targets/console.ts')).consoleTarget(),
  connection: async () => (await import('./targets/connection.ts')).connectionTarget(),
} satisfies Record<string, () => Promise<Target>>;

export type TargetName = keyof typeof targets;

export const targetNames = Object.keys(targets).filter(isTargetName);

export function isTargetName(name: string): name is TargetName {
  return Object.hasOwn(targets, name);
}

/** Words for a dictionary, written one after the other. */
export function tokens(text: string): string[] {
  return text.split('¦');
}

/** Thrown by a target for a promise that was not kept. */
export class BrokenInvariantError extends Error {
  constructor(what: string) {
    super(what);
    this.name = 'BrokenInvariantError';
  }
}

/** @throws BrokenInvariantError unless `kept` */
export function invariant(kept: boolean, what: string | (() => string)): asserts kept {
  if (!kept) throw new BrokenInvariantError(typeof what === 'string' ? what : what());
}
