// `pg-gatehouse check`: loads everything that `serve` would load and says what is wrong with it (contract §1). Opens
// no port and contacts no upstream.

import type { Command } from 'commander';
import { loadSnapshot } from '../config/snapshot.ts';
import { formatProblem, LoadError, type Problem } from '../base/problems.ts';
import { action, exitStatus } from './action.ts';
import { required } from './required.ts';

interface CheckOptions {
  readonly config: string;
  readonly json: boolean;
}

interface Findings {
  readonly errors: readonly Problem[];
  readonly warnings: readonly Problem[];
}

/** Adds the `check` command to the program. */
export function registerCheck(program: Command): void {
  const command = program
    .command('check')
    .description('load everything that serve would load, open no port, and say what is wrong');
  required(command, '--config <file>', 'the YAML file to check')
    .option('--json', 'print one JSON object', false)
    .action(action(check));
}

async function check({ config, json }: CheckOptions): Promise<number> {
  const findings = await find(config);
  process.stdout.write(json ? asJson(findings) : asText(config, findings));
  return findings.errors.length === 0 ? exitStatus.fine : exitStatus.failed;
}

async function find(config: string): Promise<Findings> {
  try {
    const { warnings } = await loadSnapshot(config);
    return { errors: [], warnings };
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    return { errors: error.problems, warnings: [] };
  }
}

function asText(config: string, { errors, warnings }: Findings): string {
  const lines = [
    ...errors.map(formatProblem),
    ...warnings.map((warning) => formatProblem({ ...warning, message: `warning: ${warning.message}` })),
    ...(errors.length === 0 ? [`${config}: ok`] : []),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function asJson({ errors, warnings }: Findings): string {
  const report = { ok: errors.length === 0, errors: errors.map(jsonRow), warnings: warnings.map(jsonRow) };
  return `${JSON.stringify(report, null, 2)}\n`;
}

/** Every field is there, null where there is nothing to say. */
function jsonRow({ file, line, message, hint }: Problem): Record<string, unknown> {
  return { file, line, message, hint: hint ?? null };
}
