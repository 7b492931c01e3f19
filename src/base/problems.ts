// What is wrong with something that the operator wrote: settings, TLS files, rules, maps. Each problem has its place.

/** An error or a warning in something that the operator wrote, as `check` prints it: `file:line: message`. */
export interface Problem {
  /** Absolute path. */
  readonly file: string;
  /** 1-based. Null where the problem is with the whole file. */
  readonly line: number | null;
  readonly column?: number;
  readonly message: string;
  readonly detail?: string;
  readonly hint?: string;
  /** Level of a warning's log line; warn where absent. `error`: it loads, and clients will not get in. */
  readonly level?: 'warn' | 'error';
}

/** Where a setting's value was read, in the words of pg_settings.source. */
export interface SettingPlace {
  readonly source: 'default' | 'configuration file' | 'environment variable' | 'command line';
  /** The YAML file, by its absolute path; or what else set it: \`environment variable PG_GATEHOUSE__PORT\`. */
  readonly file: string;
  /** Null where it stands on no line of the YAML file. */
  readonly line: number | null;
}

/** Thrown by every loader (settings, TLS, rules, maps). Nothing was loaded; it has all the reasons. */
export class LoadError extends Error {
  readonly problems: readonly Problem[];
  constructor(problems: readonly Problem[]) {
    super(problems.map(formatProblem).join('\n'));
    this.name = 'LoadError';
    this.problems = problems;
  }
}

/** Each problem once, in their order: several certificates may share what is wrong. */
export function distinctProblems(problems: readonly Problem[]): readonly Problem[] {
  return [...new Map(problems.map((problem) => [formatProblem(problem), problem])).values()];
}

/** `file:line: message`, then the column where one is known, then detail and hint on lines of their own. */
export function formatProblem({ file, line, column, message, detail, hint }: Problem): string {
  const place = line === null ? file : `${file}:${line}`;
  return [
    `${place}: ${message}${column === undefined ? '' : ` (column ${column})`}`,
    ...(detail === undefined ? [] : [`  DETAIL: ${detail}`]),
    ...(hint === undefined ? [] : [`  HINT: ${hint}`]),
  ].join('\n');
}
