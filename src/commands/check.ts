// `pg-gatehouse check`: loads everything that `serve` would load and says what is wrong with it (contract §1). Opens
// no port, and contacts the upstream with --connect alone.

import type { Command } from 'commander';
import { advise } from '../advice/advise.ts';
import { loadSnapshot } from '../config/snapshot.ts';
import { formatProblem, LoadError, type Problem } from '../base/problems.ts';
import { action, exitStatus, UsageError } from './action.ts';
import { askUpstream, type ConnectOptions, type UpstreamFindings } from './check-connect.ts';
import {
  configurationOf,
  withConfiguration,
  type Configuration,
  type ConfigurationOptions,
} from './configuration.ts';
import { output } from './output.ts';

interface CheckOptions extends ConfigurationOptions {
  readonly json: boolean;
  readonly strict: boolean;
  readonly connect: boolean;
  readonly user?: string;
  readonly database?: string;
}

interface Findings {
  readonly errors: readonly Problem[];
  readonly warnings: readonly Problem[];
  /** Lines of pg_hba.conf that can admit anybody, of how many; null where it does not load. */
  readonly admitting: { readonly lines: number; readonly of: number } | null;
  /** What the upstream has said; null = it was not asked. */
  readonly upstream: UpstreamFindings | null;
}

/** Adds the `check` command to the program. */
export function registerCheck(program: Command): void {
  withConfiguration(program.command('check'))
    .description('load everything that serve would load, open no port, and say what is wrong')
    .option('--json', 'print one JSON object', false)
    .option('--strict', 'exit with 1 for warnings too', false)
    .option('--connect', 'ask the upstream too, as far as a login is possible', false)
    .option('--user <name>', 'with --connect: whose login the upstream is asked about')
    .option('--database <name>', "with --connect: in which database; the user's name by default")
    .action(action(check));
}

async function check({ json, strict, connect, user, database, ...options }: CheckOptions): Promise<number> {
  if (!connect && (user !== undefined || database !== undefined))
    throw new UsageError('--user and --database need --connect');
  if (user === undefined && database !== undefined) throw new UsageError('--database needs --user');
  if (user === '') throw new UsageError('--user takes a name');
  const configuration = configurationOf(options);
  const findings = await find(configuration, connect ? { user, database } : null);
  const ok = findings.errors.length === 0 && !(strict && findings.warnings.length > 0);
  output(json ? asJson(findings, ok) : asText(configuration.file, findings, ok));
  return ok ? exitStatus.fine : exitStatus.failed;
}

async function find({ file, overrides }: Configuration, connect: ConnectOptions | null): Promise<Findings> {
  try {
    const { snapshot, warnings } = await loadSnapshot(file, overrides);
    const advice = advise(snapshot);
    const upstream = connect === null ? null : await askUpstream(snapshot, connect);
    return {
      upstream,
      errors: [...warnings.filter(letsNobodyIn), ...(upstream?.errors ?? [])],
      warnings: [...warnings.filter((warning) => !letsNobodyIn(warning)), ...advice.warnings],
      admitting: { lines: advice.admitting, of: advice.lines },
    };
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    return { errors: error.problems, warnings: [], admitting: null, upstream: null };
  }
}

/** Whether a warning is about a file that loads and lets no client in. */
function letsNobodyIn({ level }: Problem): boolean {
  return level === 'error';
}

function asText(config: string, { errors, warnings, admitting, upstream }: Findings, ok: boolean): string {
  const lines = [
    ...errors.map(formatProblem),
    ...warnings.map((warning) => formatProblem({ ...warning, message: `warning: ${warning.message}` })),
    ...(upstream?.lines ?? []),
    ...(ok ? [`${config}: ok`] : []),
    ...(admitting === null ? [] : [summary(admitting)]),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

/** The last line says whether anyone can get in, for an operator who reads nothing else. */
function summary({ lines, of }: { readonly lines: number; readonly of: number }): string {
  return `${lines} of ${of} ${of === 1 ? 'line' : 'lines'} of pg_hba.conf can admit anybody`;
}

function asJson({ errors, warnings, upstream }: Findings, ok: boolean): string {
  const asked = upstream === null ? {} : { upstream: upstream.json };
  const report = { ok, errors: errors.map(jsonRow), warnings: warnings.map(jsonRow), ...asked };
  return `${JSON.stringify(report, null, 2)}\n`;
}

/** Every field is there. Null = none. */
function jsonRow({ file, line, message, hint }: Problem): Record<string, unknown> {
  return { file, line, message, hint: hint ?? null };
}
