// What the console sees of the gate and may do to it, in the process that knows all of it (contract §14).

import type { GateView } from '../admin/gate-view.ts';
import { formatProblem } from '../base/problems.ts';
import { VERSION } from '../base/version.ts';
import type { ConfigHolder } from '../config/snapshot.ts';
import { shownSettings } from '../config/shown-settings.ts';
import type { ConsoleRows, ConsoleSession, ConsoleView, RowTable } from '../console/console-view.ts';
import { timestampText } from '../console/pg-types.ts';
import type { RefusalRow } from '../telemetry/refusals.ts';
import type { FullSessionRow } from '../session/session-row.ts';
import type { ClientService } from './client-service.ts';

export interface ConsoleSources {
  readonly view: GateView;
  readonly service: ClientService;
  readonly config: ConfigHolder;
  readonly draining: () => boolean;
}

export function createConsoleView({ view, service, config, draining }: ConsoleSources): ConsoleView {
  let isDrainAsked = false;
  return {
    version: VERSION,
    sessions: async () => (await service.fullSessions()).map(consoleSession),
    settings: async () => shownSettings(config.current.settings),
    rows: async (table) => await rowsOf(table, view, service),
    ruleCount: async () => config.current.rules.records.length,
    draining: async () => draining(),
    reload: async () => {
      const { ok, errors } = await view.reload();
      return ok ? null : errors.map(formatProblem);
    },
    terminate: async (id) => await service.terminate(id),
    cancel: async (id) => await service.cancel(id),
    drain: async () => {
      // Drains as on a service manager's signal. No second one is sent, neither during a drain nor before the first one
      // has arrived, which takes a turn: that would end sessions at once.
      if (!draining() && !isDrainAsked) process.kill(process.pid, 'SIGTERM');
      isDrainAsked = true;
    },
  };
}

function consoleSession({ rule, certificate, client_dn, issuer_dn, ...row }: FullSessionRow): ConsoleSession {
  return {
    ...row,
    pid: row.upstream_pid,
    rule_file: rule.file,
    rule_line: rule.line,
    client_dn: certificate?.subject ?? null,
    issuer_dn: certificate?.issuer ?? null,
    client_not_after: certificate?.not_after ?? null,
    client_dn_rfc2253: client_dn,
    issuer_dn_rfc2253: issuer_dn,
  };
}

async function rowsOf(table: RowTable, view: GateView, service: ClientService): Promise<ConsoleRows> {
  switch (table) {
    case 'rules':
      return Array.from(await view.rules(), ({ file, line, rule, hits }) => [file, line, rule, hits]);
    case 'certificates':
      return (await view.certificates()).certificates.map((each) => [
        each.role,
        each.host,
        each.file,
        each.subjectDn,
        each.issuerDn,
        each.serial,
        timestampText(each.notBefore),
        timestampText(each.notAfter),
        each.fingerprint,
      ]);
    case 'crls':
      return (await view.certificates()).crls.map(({ file, issuerDn, lastUpdate, nextUpdate }) => [
        file,
        issuerDn,
        timestampText(lastUpdate),
        nextUpdate === null ? null : timestampText(nextUpdate),
      ]);
    case 'metrics':
      return metricRows((await view.metricsText()).body);
    case 'workers':
      return (await service.workers()).map(({ pid, sessions, handshakes, state }) => [
        pid,
        sessions,
        handshakes,
        state,
      ]);
    case 'refusals':
      return (await view.refusals()).map(refusalCells);
    case 'bans':
      return (await view.bans()).map(({ address, until, failures, refused }) => [
        address,
        timestampText(new Date(until)),
        failures,
        refused,
      ]);
    default:
      return table satisfies never;
  }
}

function refusalCells(row: RefusalRow): ConsoleRows[number] {
  const { time, code, msg, host, port, user, database, rule, detail, hint } = row;
  const known = [host, port, user, database, rule, detail, hint].map((value) => value ?? null);
  return [timestampText(new Date(time)), code, msg, ...known];
}

/** Each series of an exposition: name, labels as they stand between the braces, value. */
function metricRows(exposition: string): ConsoleRows {
  return exposition.split('\n').flatMap((line) => {
    const match = /^([a-z_][a-z0-9_]*)(?:\{(.*)\})? (\S+)/i.exec(line);
    const [, name, labels, value] = match ?? [];
    if (name === undefined || line.startsWith('#')) return [];
    return [[name, labels ?? '', Number(value?.replace('Inf', 'Infinity'))]];
  });
}
