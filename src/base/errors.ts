// The failure of a connection. What its code means, and what the client is told, stands in codes.ts.

import type { ByteString } from './bytestring.ts';
import { codes, type Code } from './codes.ts';

/** What belongs to one failure beside its code. Texts are byte strings, so that names go back as they came. */
export interface GatehouseErrorInit {
  /** The client's M field where the registry has none. Without either the connection is closed without an error. */
  readonly reply?: ByteString;
  /** The client is told nothing, even where the registry has a text. */
  readonly isSilent?: boolean;
  /** The client's D field. */
  readonly replyDetail?: string;
  /** The client's H field. */
  readonly replyHint?: string;
  /** SQLSTATE where it is not the registry's (a password method's 28P01). */
  readonly sqlstate?: string;
  /** The log line's `msg`; PostgreSQL's text where it has one. Defaults to the reply. */
  readonly message?: string;
  /** The log line's `detail`: PostgreSQL's errdetail_log. Never sent. */
  readonly detail?: string;
  /** The log line's `hint`. Never sent. */
  readonly hint?: string;
  /** Further fields of the log line (SNI, ALPN, versions offered, the certificate's facts). Never sent. */
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** A connection's end, thrown by the steps in session/ and caught once, in connection.ts. */
export class GatehouseError extends Error {
  readonly code: Code;
  readonly sqlstate: string | null;
  readonly reply: ByteString | null;
  readonly replyDetail: string | null;
  readonly replyHint: string | null;
  readonly detail: string | null;
  readonly hint: string | null;
  readonly fields: Readonly<Record<string, unknown>>;

  constructor(code: Code, init: GatehouseErrorInit = {}) {
    super(
      init.message ?? init.reply ?? codes[code].reply ?? codes[code].means,
      init.cause === undefined ? {} : { cause: init.cause },
    );
    this.name = 'GatehouseError';
    this.code = code;
    this.sqlstate = init.sqlstate ?? codes[code].sqlstate;
    this.reply = init.isSilent === true ? null : (init.reply ?? codes[code].reply);
    this.replyDetail = init.replyDetail ?? null;
    this.replyHint = init.replyHint ?? null;
    this.detail = init.detail ?? null;
    this.hint = init.hint ?? null;
    this.fields = init.fields ?? {};
  }
}

/** The text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
