// A raw client of a gate that can tell which of the gate's log lines are its own, and the checks that hold for every
// client: exactly one closing line (contract §4), and nothing left open behind it.

import { connect } from 'node:net';
import type { Test } from 'tap';
import { connected } from './byte-channel.ts';
import type { Gate, LogLine } from '../run/gate.ts';
import { RawClient } from './raw-client.ts';
import { atEnd, type Scope } from '../run/scope.ts';

/** A connection to a gate; made by visit() only. */
export class Visitor extends RawClient {
  /** The port it comes from, which the gate's lines name. */
  readonly port: number;
  readonly #gate: Gate;
  /** Lines before this are not about it, even those with its port: another client had that port then. */
  readonly #from: number;

  constructor(gate: Gate, from: number, raw: RawClient['raw']) {
    super(raw);
    this.port = raw.localPort ?? 0;
    this.#gate = gate;
    this.#from = from;
  }

  /** Its closing line, logged already or yet to come. */
  async ending(): Promise<LogLine> {
    return this.#gate.waitForLog((line) => line['port'] === this.port && isEnding(line), {
      from: this.#from,
    });
  }
}

/** Connects to a gate; the connection is gone when the test is. */
export async function visit(t: Scope, gate: Gate, port = gate.port): Promise<Visitor> {
  const from = gate.logLength();
  const raw = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
  atEnd(t, () => raw.destroy());
  await connected(raw);
  const visitor = new Visitor(gate, from, raw);
  visitorsOf(gate).push(visitor);
  return visitor;
}

const visitors = new WeakMap<Gate, Visitor[]>();

function visitorsOf(gate: Gate): Visitor[] {
  const known = visitors.get(gate) ?? [];
  visitors.set(gate, known);
  return known;
}

/** A line that ends a connection: with a code, or PostgreSQL's disconnection. */
export function isEnding(line: LogLine): boolean {
  return line.code !== undefined || line.msg.startsWith('disconnection: ');
}

/** Sends every visitor home, stops the gate and asserts that every connection it received has exactly one closing line. */
export async function assertOneEndingEach(t: Pick<Test, 'strictSame' | 'ok'>, gate: Gate): Promise<void> {
  for (const visitor of visitorsOf(gate)) visitor.destroy();
  await gate.stop();
  const received = gate.log.filter(({ msg }) => msg.startsWith('connection received: '));
  const endings = Map.groupBy(gate.log.filter(isEnding), ({ id }) => id);
  t.ok(received.length > 0, 'the gate was visited');
  t.strictSame(
    received
      .filter(({ id }) => endings.get(id)?.length !== 1)
      .map(({ id, msg }) => [id, msg, endings.get(id)]),
    [],
    'every connection ends with exactly one line',
  );
}

/** What the gate holds for longer than this, in milliseconds, it lingers on: the shortest linger is three seconds. */
const LINGERS_AFTER_MS = 2_000;

/**
 * Asserts that the gate holds no more descriptors than `before`. It may need some turns of its event loop for what the
 * kernel has told it; an answer of the admin listener is such a turn.
 */
export async function assertNothingOpen(t: Pick<Test, 'ok'>, gate: Gate, before: number): Promise<void> {
  let count = Infinity;
  const begin = performance.now();
  for (let turns = 0; count > before; turns++) {
    if (turns >= 200 && performance.now() - begin > LINGERS_AFTER_MS) break;
    await gate.admin('/healthz');
    count = gate.fdCount();
  }
  t.ok(count <= before, `${count} descriptors are open, ${before} before`);
}

/**
 * Descriptors of a gate that has nothing to do. One count may hold the admin connection that has just been answered, or
 * a health probe, so the lowest of several counts.
 */
export async function idleFdCount(gate: Gate): Promise<number> {
  let lowest = Infinity;
  for (let turn = 0; turn < 10; turn++) {
    await gate.admin('/healthz');
    lowest = Math.min(lowest, gate.fdCount());
  }
  return lowest;
}
