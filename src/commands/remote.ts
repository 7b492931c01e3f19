// How commands talk to a running gate's admin listener (contract §1, §7.27): where it stands, and one question to it.
// Exit status 0, or 1 when the gate cannot be reached or does not do what was asked.

import { readFileSync } from 'node:fs';
import type { RequestOptions } from 'node:https';
import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import { escapeInvisible } from '../base/escape-invisible.ts';
import { requestHttp, requestHttps } from '../base/http.ts';
import { systemMessage } from '../base/system-error.ts';
import { parseListenPlace } from '../config/hosts.ts';
import { CommandError, UsageError } from './action.ts';
import { findConfiguration, readAdmin, withConfig } from './configuration.ts';
import { output } from './output.ts';

const DEFAULT_ADMIN = 'http://127.0.0.1:9432';
/** A reload loads everything and reaches every worker before it answers (contract §7.2). */
const ANSWER_TIMEOUT_MS = 60_000;
/** Room for 100,000 sessions. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** Where an admin listener stands. */
interface AdminTarget {
  /** As typed, or where a configuration has it, for messages. */
  readonly url: string;
  readonly tls: boolean;
  /** For node:http and node:https. */
  readonly socket: { readonly host: string; readonly port: number } | { readonly socketPath: string };
}

export interface RemoteOptions {
  /** Given by hand; else the configuration says where. */
  readonly admin?: AdminTarget;
  readonly config?: string;
  /** PEM files for a listener with TLS. */
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string;
  /** The listener's answer as it came. */
  readonly json?: true;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly value: unknown;
}

export function remote(command: Command): Command {
  return withConfig(command)
    .addOption(
      new Option(
        '--admin <url>',
        `the gate's admin listener: http(s)://HOST:PORT or unix:/PATH; else admin.listen of the configuration, else ${DEFAULT_ADMIN}`,
      ).argParser(adminTarget),
    )
    .option('--cert <file>', 'the certificate to show to an https listener')
    .option('--key <file>', 'its private key')
    .option('--ca <file>', "the root that the listener's certificate must lead to (default: public CAs)")
    .option('--json', "print the gate's answer as it is");
}

/** Throws CommandError where no gate answers. */
export async function ask(listener: Listener, method: string, path: string): Promise<Answer> {
  const { url, tls, socket } = listener.admin ?? (await configuredTarget(listener));
  const options = { ...socket, ...credentials(listener) };
  try {
    const { status, body } = await exchange(tls ? requestHttps : requestHttp, options, method, path);
    return { status, body, value: JSON.parse(body) };
  } catch (error) {
    throw new CommandError(`could not reach the gate at ${url}: ${reason(error)}`);
  }
}

/** Where the configuration that this command finds has the admin listener. */
async function configuredTarget({ config }: Pick<RemoteOptions, 'config'>): Promise<AdminTarget> {
  const found = findConfiguration(config === undefined ? {} : { config });
  const admin = found === null ? null : await readAdmin(found);
  if (found === null || admin === null) return adminTarget(DEFAULT_ADMIN);
  const from = `admin.listen of ${found.file}`;
  const place = parseListenPlace(admin.listen);
  if (place === null) throw new CommandError(`the gate has no admin listener: ${from} is empty`);
  if (place.kind === 'unix')
    return { url: `unix:${place.path} (${from})`, tls: false, socket: { socketPath: place.path } };
  if (place.port === 0)
    throw new CommandError(`${from} takes any free port: give --admin, with the port that the log names`);
  const tls = admin.ssl_cert_file !== '';
  const host = ANY_ADDRESS.get(place.host) ?? place.host;
  const url = `${tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${place.port} (${from})`;
  return { url, tls, socket: { host, port: place.port } };
}

/** Where the listener takes every address, commands connect to this machine's loopback address. */
const ANY_ADDRESS: ReadonlyMap<string, string> = new Map([
  ['*', '127.0.0.1'],
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
]);

type Listener = Omit<RemoteOptions, 'json'>;

function credentials({ cert, key, ca }: Listener): Pick<RequestOptions, 'cert' | 'key' | 'ca'> {
  if ((cert === undefined) !== (key === undefined)) throw new UsageError('--cert and --key go together');
  return {
    ...(cert === undefined || key === undefined ? {} : { cert: readFileSync(cert), key: readFileSync(key) }),
    ...(ca === undefined ? {} : { ca: readFileSync(ca) }),
  };
}

function exchange(
  send: typeof requestHttp,
  options: RequestOptions,
  method: string,
  path: string,
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
    const sent = send({ ...options, method, path, signal, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      let length = 0;
      response.on('error', reject);
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        length += chunk.length;
        if (length > MAX_ANSWER_BYTES) response.destroy(new Error('its answer is too long'));
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }),
      );
    });
    sent.on('error', reject);
    sent.end();
  });
}

function reason(error: unknown): string {
  if (error instanceof SyntaxError) return 'what answers there is not a gate';
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError' || error.name === 'AbortError') {
    return `no answer within ${ANSWER_TIMEOUT_MS / 1000} s`;
  }
  // For a name with several addresses Node reports all failures together. The first is enough.
  if (error instanceof AggregateError && error.errors.length > 0) return reason(error.errors[0]);
  return systemMessage(error);
}

export function refused({ status, value }: Answer): CommandError {
  const error = field(value, 'error');
  return new CommandError(typeof error === 'string' ? escapeInvisible(error) : `the gate answered ${status}`);
}

/** `file:line: message` with its DETAIL and HINT, as `check` prints it. */
export function problemText(problem: object, prefix = ''): string {
  const place = [field(problem, 'file'), field(problem, 'line')]
    .map(shown)
    .filter((part) => part !== '')
    .join(':');
  const lines = [`${prefix}${place}: ${shown(field(problem, 'message'))}`];
  for (const name of ['detail', 'hint'] as const) {
    const text = field(problem, name);
    if (typeof text === 'string') lines.push(`  ${name.toUpperCase()}: ${escapeInvisible(text)}`);
  }
  return lines.join('\n');
}

/** SECURITY: names are the clients' words, and escape sequences in them would be the terminal's commands. */
export function shown(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? escapeInvisible(String(value)) : '';
}

/** A member of a JSON object; null where there is none. */
export function field(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return null;
  return Object.getOwnPropertyDescriptor(value, name)?.value ?? null;
}

/** The objects of a JSON array. Empty where the value is not an array. */
export function records(value: unknown): readonly object[] {
  return Array.isArray(value) ? value.filter((row) => typeof row === 'object' && row !== null) : [];
}

/** `http://HOST:PORT`, `https://HOST:PORT` or `unix:/PATH`, or the path alone, as `admin.listen` has it too. */
function adminTarget(url: string): AdminTarget {
  const path = url.replace(/^unix:/, '');
  if (path.startsWith('/')) return { url, tls: false, socket: { socketPath: path } };
  const parsed = URL.canParse(url) ? new URL(url) : null;
  const tls = parsed?.protocol === 'https:';
  if (
    parsed === null ||
    !(tls || parsed.protocol === 'http:') ||
    parsed.pathname !== '/' ||
    parsed.search !== ''
  ) {
    throw new InvalidArgumentError('give http://HOST:PORT, https://HOST:PORT or unix:/PATH');
  }
  const host = parsed.hostname.replace(/^\[(.*)\]$/, '$1');
  return { url, tls, socket: { host, port: parsed.port === '' ? (tls ? 443 : 80) : Number(parsed.port) } };
}

export function print(text: string): void {
  output(`${text}\n`);
}
