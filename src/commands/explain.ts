// `pg-gatehouse explain`: which line decides about a connection, why not the lines above it, and what the client would
// be told. Needs no running gate: it loads what serve would load and asks the same rules.

import { Option, type Command } from 'commander';
import { toText, type ByteString } from '../base/bytestring.ts';
import { loadSnapshot, type Snapshot } from '../config/snapshot.ts';
import { fixedAnswer } from '../base/codes.ts';
import { GatehouseError } from '../base/errors.ts';
import { escapeButTabs } from '../base/escape-invisible.ts';
import { clientAddress, formatAddress } from '../rules/address.ts';
import { explain, type Considered } from '../rules/explain.ts';
import { ruleText } from '../rules/hba.ts';
import type { Admission, Facts, HbaRecord, Refusal } from '../rules/types.ts';
import { isForConsole } from '../session/console-access.ts';
import { methodDecidedHere } from '../session/password-step.ts';
import { judge, ruleBook, type Judged, type JudgeOptions } from '../session/rules-step.ts';
import { interfaceAddresses } from '../session/host-names.ts';
import { startupOf } from '../session/startup.ts';
import { action, exitStatus, UsageError } from './action.ts';
import {
  certificateLines,
  describeCertificate,
  readCertificate,
  verifiedNames,
  type ReadCertificate,
} from './explain-certificate.ts';
import { hostJson, hostLine, hostMet, materialMet, type HostMet } from './explain-host.ts';
import { forecastConsole, forecastLogin, loginLine, type AdmittedForecast } from './explain-login.ts';
import { configurationOf, withConfiguration, type ConfigurationOptions } from './configuration.ts';
import { output } from './output.ts';
import { required } from './required.ts';
import { passwordsFor, withCatalog } from './with-catalog.ts';

interface ExplainOptions extends ConfigurationOptions {
  readonly user: string;
  readonly database: string;
  readonly address: string;
  readonly tls: boolean;
  readonly cert?: string;
  readonly sni?: string;
  readonly replication?: 'physical' | 'database';
  readonly json: boolean;
  readonly expect?: 'admit' | 'reject';
}

interface Answer {
  /** Whose certificate the client is shown, where ssl_sni is on. */
  readonly host?: HostMet;
  readonly certificate: ReadCertificate | null;
  /** Null = no rule is asked: the client names no user, or its certificate does not verify. */
  readonly verdict: Admission | Refusal | null;
  readonly considered: readonly Considered[];
  readonly reply: { readonly sqlstate: string; readonly message: string } | null;
  /** What comes after an admission. */
  readonly login?: {
    readonly forecast: AdmittedForecast;
    readonly user: ByteString;
    /** auth_file is set. */
    readonly usesSecrets: boolean;
  };
  /** Whose roles the decision has gone by. */
  readonly memberships?: Memberships;
  /** Why something that the decision needs could not be had. */
  readonly unavailable?: string;
  /** The client is refused without an error, because this line would admit it without TLS. */
  readonly untold?: HbaRecord;
}

/** What the user is a member of, and who says so. */
interface Memberships {
  readonly source: 'roles' | 'catalog' | null;
  readonly roles: readonly ByteString[];
}

/**
 * The look-ups of one decision may take this long together, in milliseconds. Each of them ends with a reason in words at a
 * limit of its own, 30 s for a host name. This limit has no words, so it must not be reached before those.
 */
const LOOK_UPS_MS = 120_000;

/** Adds the `explain` command to the program. */
export function registerExplain(program: Command): void {
  const command = withConfiguration(program.command('explain')).description(
    'say which rule decides about a connection, why not the ones above it, and what the client is told',
  );
  required(command, '--user <name>', 'the user the client asks for');
  required(command, '--database <name>', 'the database the client asks for');
  required(command, '--address <ip>', 'the numeric address the client comes from');
  command
    .option('--no-tls', 'the client speaks no TLS')
    .option('--cert <file>', 'the client certificate, PEM, with its intermediates if it sends them')
    .option(
      '--sni <name>',
      'the host that the client names in its TLS handshake; without it the client names none',
    )
    .addOption(
      new Option('--replication <kind>', 'a replication connection').choices(['physical', 'database']),
    )
    .addOption(
      new Option('--expect <verdict>', 'exit with 1 when the verdict is another one').choices([
        'admit',
        'reject',
      ]),
    )
    .option('--json', 'print one JSON object', false)
    .action(action(run));
}

async function run(options: ExplainOptions): Promise<number> {
  if (!options.tls && options.cert !== undefined)
    throw new UsageError('--cert needs TLS: leave --no-tls out');
  if (!options.tls && options.sni !== undefined) throw new UsageError('--sni needs TLS: leave --no-tls out');
  const address = clientAddress(options.address);
  if (address === null) throw new UsageError(`--address takes a numeric address, not "${options.address}"`);
  const { file, overrides } = configurationOf(options);
  const { snapshot } = await loadSnapshot(file, overrides);
  const host = options.tls ? hostMet(snapshot, options.sni) : null;
  const answer = {
    ...(await answerFor(options, { snapshot, host, address })),
    ...(host === null ? {} : { host }),
  };
  output(options.json ? asJson(answer) : asText(answer));
  return statusOf(verdictWord(answer), options.expect);
}

interface Circumstances {
  readonly snapshot: Snapshot;
  /** Null where no name decides. */
  readonly host: HostMet | null;
  readonly address: NonNullable<ReturnType<typeof clientAddress>>;
}

async function answerFor(
  options: ExplainOptions,
  { snapshot, host, address }: Circumstances,
): Promise<Answer> {
  // Refused before a byte of TLS: no rule is asked, and nothing is said in PostgreSQL's protocol.
  if (host?.refusal !== undefined) return { certificate: null, verdict: null, considered: [], reply: null };
  const material = options.tls ? materialMet(snapshot, options.sni) : null;
  const certificate = options.cert === undefined ? null : await readCertificate(options.cert, material);
  const request = requestOf(options);
  return request instanceof GatehouseError
    ? refusedUnasked(certificate, request)
    : await ask(snapshot, certificate, {
        user: request.user,
        database: request.database,
        replication: request.replication,
        tls: options.tls && snapshot.tls !== null,
        address: address.address,
        addressText: formatAddress(address.address),
        hostName: { state: 'unknown' },
        interfaces: interfaceAddresses,
        certificate: verifiedNames(certificate),
        hasRootCertificates: material?.requestsClientCertificate ?? false,
      });
}

/** Where something could not be judged no expectation is met. */
function statusOf(verdict: ReturnType<typeof verdictWord>, expected: ExplainOptions['expect']): number {
  if (verdict === 'not-judged') return exitStatus.failed;
  return expected === undefined || verdict === expected ? exitStatus.fine : exitStatus.failed;
}

/** The StartupMessage that these options are, read as the gate reads one; or what it would be refused with. */
function requestOf({
  user,
  database,
  replication,
}: ExplainOptions): ReturnType<typeof startupOf> | GatehouseError {
  const parameters = ['user', user, 'database', database];
  if (replication !== undefined)
    parameters.push('replication', replication === 'physical' ? 'true' : 'database');
  try {
    return startupOf(parameters);
  } catch (error) {
    if (error instanceof GatehouseError) return error;
    throw error;
  }
}

function refusedUnasked(
  certificate: ReadCertificate | null,
  { sqlstate, reply, message }: Partial<Pick<GatehouseError, 'sqlstate' | 'reply' | 'message'>>,
): Answer {
  return {
    certificate,
    verdict: null,
    considered: [],
    reply: { sqlstate: sqlstate ?? '28000', message: toText(reply ?? message ?? '') },
  };
}

async function ask(snapshot: Snapshot, certificate: ReadCertificate | null, asked: Facts): Promise<Answer> {
  // No rule is shown a name that OpenSSL has not vouched for, as in the gate.
  if (certificate?.outcome.kind === 'not-judged')
    return { certificate, verdict: null, considered: [], reply: null };
  return await withCatalog(snapshot, async (catalog) => {
    const options = { catalog, signal: AbortSignal.timeout(LOOK_UPS_MS) };
    return certificate?.outcome.kind === 'refused'
      ? await askForRefused(snapshot, { ...certificate, outcome: certificate.outcome }, asked, options)
      : await askRules(snapshot, certificate, asked, options);
  });
}

/** The gate says nothing to a client that an error would make come back in clear text (contract §7.38). */
async function askForRefused(
  snapshot: Snapshot,
  certificate: ReadCertificate & { readonly outcome: { readonly kind: 'refused'; readonly reason: string } },
  asked: Facts,
  options: JudgeOptions,
): Promise<Answer> {
  const reply = `client certificate verification failed: ${certificate.outcome.reason}`;
  const refused = refusedUnasked(certificate, { sqlstate: '28000', reply, message: reply });
  const inClear = { ...asked, tls: false, certificate: null };
  try {
    const { verdict } = await judge(snapshot, inClear, options);
    return verdict.kind === 'admit' ? { ...refused, reply: null, untold: verdict.record } : refused;
  } catch (error) {
    // A decision that cannot be made admits nobody.
    if (isUndecided(error)) return refused;
    throw error;
  }
}

async function askRules(
  snapshot: Snapshot,
  certificate: ReadCertificate | null,
  asked: Facts,
  options: JudgeOptions,
): Promise<Answer> {
  let judged: Judged;
  try {
    judged = await judge(snapshot, asked, options);
  } catch (error) {
    if (!isUndecided(error)) throw error;
    const { considered } = explain(ruleBook(snapshot, null), asked);
    return { certificate, verdict: null, considered, ...unavailable(error) };
  }
  const { verdict, facts, catalog } = judged;
  const { considered, memberships: known } = explain(ruleBook(snapshot, catalog), facts);
  const memberships: Memberships =
    known === null
      ? { source: null, roles: [] }
      : { source: catalog === null ? 'roles' : 'catalog', roles: known };
  if (verdict.kind !== 'admit') {
    const reply = { sqlstate: verdict.sqlstate, message: toText(verdict.message) };
    return { certificate, verdict, considered, reply, memberships };
  }
  const outcome = await afterAdmission(snapshot, verdict, facts, options);
  return { certificate, considered, memberships, ...outcome };
}

/** What comes after a line has admitted the client: the console's lists, or the login at the upstream. */
async function afterAdmission(
  snapshot: Snapshot,
  admission: Admission,
  { user, database, replication }: Facts,
  { catalog, signal }: JudgeOptions,
): Promise<Pick<Answer, 'verdict' | 'reply' | 'login' | 'unavailable'>> {
  const { settings } = snapshot;
  const isConsole = isForConsole(settings, { database, replication });
  const isDecidedHere = methodDecidedHere(admission, snapshot.passwords) !== null;
  let { passwords } = snapshot;
  try {
    // At the console nobody asks for a password but the gate.
    if (isDecidedHere || !isConsole) passwords = await passwordsFor(snapshot, user, catalog, signal);
  } catch (error) {
    if (!(error instanceof GatehouseError) || error.code !== 'secrets-unavailable') throw error;
    // Behind a line without a password the upstream may still let the client in without asking.
    if (isDecidedHere) return { verdict: null, ...unavailable(error) };
  }
  const forecast = isConsole
    ? forecastConsole(admission, user, { settings, passwords })
    : forecastLogin(admission, user, passwords);
  if (forecast.kind === 'denied') return refusedByConsole(admission, forecast.code);
  return { verdict: admission, reply: null, login: { forecast, user, usesSecrets: passwords !== null } };
}

/** The line has admitted the client, and the console does not. */
function refusedByConsole(
  { record, identity }: Admission,
  code: 'console-denied' | 'console-password-impossible',
): Pick<Answer, 'verdict' | 'reply'> {
  const reply = fixedAnswer(code);
  return { verdict: { kind: 'refuse', code, record, ...reply, detail: null, notes: [], identity }, reply };
}

/** Whether the gate refuses a client for this: something that decides about it cannot be had. */
function isUndecided(error: unknown): error is GatehouseError {
  return (
    error instanceof GatehouseError &&
    (error.code === 'roles-unavailable' || error.code === 'host-name-timeout')
  );
}

/** What the client is told then, which may be nothing, and why. */
function unavailable({ sqlstate, reply, message }: GatehouseError): Pick<Answer, 'reply' | 'unavailable'> {
  const told = sqlstate === null || reply === null ? null : { sqlstate, message: toText(reply) };
  return { reply: told, unavailable: message };
}

function asJson(answer: Answer): string {
  const { certificate, verdict, considered, reply } = answer;
  const record = verdict?.record ?? null;
  const map = verdict?.kind === 'admit' ? verdict.mapRecord : null;
  const report = {
    verdict: verdictWord(answer),
    file: record?.file ?? null,
    line: record?.line ?? null,
    method: record?.method ?? null,
    considered,
    reply,
    memberships: membershipsRow(answer.memberships),
    map: map === null ? null : { file: map.file, line: map.line },
    certificate: certificate === null ? null : describeCertificate(certificate),
    ...(answer.host === undefined ? {} : hostJson(answer.host)),
    ...loginJson(answer.login),
    ...(certificate?.outcome.kind === 'not-judged' ? { not_judged: certificate.outcome.reason } : {}),
  };
  return `${JSON.stringify(report, null, 2)}\n`;
}

/** Without auth_file there is one thing to say: that the client comes to the console. */
function loginJson(login: Answer['login']): { readonly login?: AdmittedForecast } {
  if (login === undefined) return {};
  const { forecast, usesSecrets } = login;
  return usesSecrets || forecast.kind === 'console' ? { login: forecast } : {};
}

function membershipsRow({ source, roles }: Memberships = { source: null, roles: [] }): unknown {
  return { source, roles: roles.map(toText) };
}

/** `not-judged` where a fact that decides could not be found out. */
function verdictWord({ certificate, verdict, reply }: Answer): 'admit' | 'reject' | 'not-judged' {
  if (certificate?.outcome.kind === 'not-judged' && reply === null) return 'not-judged';
  return verdict?.kind === 'admit' ? 'admit' : 'reject';
}

function asText(answer: Answer): string {
  const { certificate, verdict, considered, reply, untold } = answer;
  const lines = [
    ...(answer.host === undefined ? [] : [hostLine(answer.host)]),
    ...(certificate === null ? [] : certificateLines(certificate)),
    ...considered.map(({ file, line, why }) => `${file}:${line}: passed over: ${why}`),
  ];
  if (answer.memberships !== undefined) lines.push(...membershipLines(answer.memberships));
  if (answer.unavailable !== undefined) lines.push(toText(answer.unavailable));
  const record = verdict?.record ?? null;
  if (record !== null) lines.push(`${record.file}:${record.line}: decides: ${ruleText(record)}`);
  else if (verdict !== null) lines.push('no line matches');
  if (verdict?.kind === 'admit') lines.push(...admissionLines(verdict, answer.login));
  else lines.push(...(verdict?.notes ?? []).map(toText));
  if (untold !== undefined)
    lines.push(`rejected without a word: ${untold.file}:${untold.line} would admit the client without TLS`);
  else if (answer.unavailable !== undefined && reply === null) lines.push('rejected without a word');
  if (reply !== null) lines.push(`rejected: FATAL ${reply.sqlstate}: ${reply.message}`);
  // SECURITY: names of a stranger's certificate would drive the operator's terminal.
  return lines.map((line) => `${escapeButTabs(line)}\n`).join('');
}

function membershipLines({ source, roles }: Memberships): string[] {
  if (source === null) return [];
  const whose = source === 'catalog' ? "by the upstream's catalogue and roles:" : 'by roles:';
  return [`the user is a member of ${roles.map((role) => `"${toText(role)}"`).join(', ')} (${whose})`];
}

function admissionLines(admission: Admission, login: Answer['login']): string[] {
  const { mapRecord } = admission;
  return [
    ...(mapRecord === null
      ? []
      : [`${mapRecord.file}:${mapRecord.line}: maps the certificate's name to the user`]),
    ...(login === undefined ? [] : [loginLine(login.forecast, admission, login.user)]),
  ];
}
