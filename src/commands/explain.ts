// `pg-gatehouse explain`: which line decides about a connection, why not the lines above it, and what the client would
// be told. Needs no running gate: it loads what serve would load and asks the same rules.

import { Option, type Command } from 'commander';
import { toText, type ByteString } from '../base/bytestring.ts';
import { loadSnapshot, type Snapshot } from '../config/snapshot.ts';
import { GatehouseError } from '../base/errors.ts';
import { clientAddress, formatAddress } from '../rules/address.ts';
import { explain, type Considered } from '../rules/explain.ts';
import { ruleText } from '../rules/hba.ts';
import type { Admission, Facts, HbaRecord, Refusal } from '../rules/types.ts';
import { judge } from '../session/rules-step.ts';
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
import { forecastLogin, loginLine, type LoginForecast } from './explain-login.ts';
import { configurationOf, withConfiguration, type ConfigurationOptions } from './configuration.ts';
import { required } from './required.ts';

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
    readonly forecast: LoginForecast;
    readonly user: ByteString;
    /** auth_file is set. */
    readonly usesSecrets: boolean;
  };
  /** The client is refused without an error, because this line would admit it without TLS. */
  readonly untold?: HbaRecord;
}

/** A look-up of the client's host name may take this long, in milliseconds. */
const LOOK_UP_MS = 10_000;

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
  process.stdout.write(options.json ? asJson(answer) : asText(answer));
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
  { sqlstate, reply, message }: Pick<GatehouseError, 'sqlstate' | 'reply' | 'message'>,
): Answer {
  return {
    certificate,
    verdict: null,
    considered: [],
    reply: { sqlstate: sqlstate ?? '28000', message: toText(reply ?? message) },
  };
}

async function ask(snapshot: Snapshot, certificate: ReadCertificate | null, asked: Facts): Promise<Answer> {
  // No rule is shown a name that OpenSSL has not vouched for, as in the gate.
  if (certificate?.outcome.kind === 'not-judged')
    return { certificate, verdict: null, considered: [], reply: null };
  if (certificate?.outcome.kind === 'refused') {
    const reply = `client certificate verification failed: ${certificate.outcome.reason}`;
    const refused = refusedUnasked(certificate, { sqlstate: '28000', reply, message: reply });
    const inClear = { ...asked, tls: false, certificate: null };
    const { verdict } = await judge(snapshot, inClear, AbortSignal.timeout(LOOK_UP_MS));
    // The gate says nothing to a client that an error would make come back in clear text (contract §7.38).
    return verdict.kind === 'admit' ? { ...refused, reply: null, untold: verdict.record } : refused;
  }
  const { verdict, facts } = await judge(snapshot, asked, AbortSignal.timeout(LOOK_UP_MS));
  const book = { hba: snapshot.rules, ident: snapshot.maps, roles: snapshot.settings.roles };
  const { considered } = explain(book, facts);
  const reply =
    verdict.kind === 'admit' ? null : { sqlstate: verdict.sqlstate, message: toText(verdict.message) };
  if (verdict.kind !== 'admit') return { certificate, verdict, considered, reply };
  const { user } = facts;
  const { passwords } = snapshot;
  const login = { forecast: forecastLogin(verdict, user, passwords), user, usesSecrets: passwords !== null };
  return { certificate, verdict, considered, reply, login };
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
    map: map === null ? null : { file: map.file, line: map.line },
    certificate: certificate === null ? null : describeCertificate(certificate),
    ...(answer.host === undefined ? {} : hostJson(answer.host)),
    ...(answer.login?.usesSecrets === true ? { login: answer.login.forecast } : {}),
    ...(certificate?.outcome.kind === 'not-judged' ? { not_judged: certificate.outcome.reason } : {}),
  };
  return `${JSON.stringify(report, null, 2)}\n`;
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
  const record = verdict?.record ?? null;
  if (record !== null) lines.push(`${record.file}:${record.line}: decides: ${toText(ruleText(record))}`);
  else if (verdict !== null) lines.push('no line matches');
  if (verdict?.kind === 'admit') lines.push(...admissionLines(verdict, answer.login));
  else lines.push(...(verdict?.notes ?? []).map(toText));
  if (untold !== undefined)
    lines.push(`rejected without a word: ${untold.file}:${untold.line} would admit the client without TLS`);
  if (reply !== null) lines.push(`rejected: FATAL ${reply.sqlstate}: ${reply.message}`);
  return lines.map((line) => `${line}\n`).join('');
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
