// `pg-gatehouse check`: loads everything that `serve` would load and says what is wrong with it (contract §1). Opens
// no port and contacts no upstream.

import type { Command } from 'commander';
import { advise } from '../advice/advise.ts';
import { loadSnapshot } from '../config/snapshot.ts';
import { formatProblem, LoadError, type Problem } from '../base/problems.ts';
import { action, exitStatus } from './action.ts';
import {
  configurationOf,
  withConfiguration,
  type Configuration,
  type ConfigurationOptions,
} from './configuration.ts';

interface CheckOptions extends ConfigurationOptions {
  readonly json: boolean;
  readonly strict: boolean;
}

interface Findings {
  readonly errors: readonly Problem[];
  readonly warnings: readonly Problem[];
  /** Lines of pg_hba.conf that can admit anybody, of how many; null where it does not load. */
  readonly admitting: { readonly lines: number; readonly of: number } | null;
}

/** Adds the `check` command to the program. */
export function registerCheck(program: Command): void {
  withConfiguration(program.command('check'))
    .description('load everything that serve would load, open no port, and say what is wrong')
    .option('--json', 'print one JSON object', false)
    .option('--strict', 'exit with 1 for warnings too', false)
    .action(action(check));
}

async function check({ json, strict, ...options }: CheckOptions): Promise<number> {
  const configuration = configurationOf(options);
  const findings = await find(configuration);
  const ok = findings.errors.length === 0 && !(strict && findings.warnings.length > 0);
  process.stdout.write(json ? asJson(findings, ok) : asText(configuration.file, findings, ok));
  return ok ? exitStatus.fine : exitStatus.failed;
}

async function find({ file, overrides }: Configuration): Promise<Findings> {
  try {
    const { snapshot, warnings } = await loadSnapshot(file, overrides);
    const advice = advise(snapshot, new Date());
    return {
      errors: [...warnings.filter(letsNobodyIn), ...advice.errors],
      warnings: [...warnings.filter((warning) => !letsNobodyIn(warning)), ...advice.warnings],
      admitting: { lines: advice.admitting, of: advice.lines },
    };
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    return { errors: error.problems, warnings: [], admitting: null };
  }
}

/** Whether a warning is about a file that loads and lets no client in. */
function letsNobodyIn({ level }: Problem): boolean {
  return level === 'error';
}

function asText(config: string, { errors, warnings, admitting }: Findings, ok: boolean): string {
  const lines = [
    ...errors.map(formatProblem),
    ...warnings.map((warning) => formatProblem({ ...warning, message: `warning: ${warning.message}` })),
    ...(ok ? [`${config}: ok`] : []),
    ...(admitting === null ? [] : [summary(admitting)]),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

/** The last line says whether anyone can get in, for an operator who reads nothing else. */
function summary({ lines, of }: { readonly lines: number; readonly of: number }): string {
  return `${lines} of ${of} ${of === 1 ? 'line' : 'lines'} of pg_hba.conf can admit anybody`;
}

function asJson({ errors, warnings }: Findings, ok: boolean): string {
  const report = { ok, errors: errors.map(jsonRow), warnings: warnings.map(jsonRow) };
  return `${JSON.stringify(report, null, 2)}\n`;
}

/** Every field is there. Null = none. */
function jsonRow({ file, line, message, hint }: Problem): Record<string, unknown> {
  return { file, line, message, hint: hint ?? null };
}
