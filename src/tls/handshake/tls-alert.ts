// Alerts that the gate sends itself, because it refuses a client before OpenSSL has seen a byte of it (sni.md §2.3).

import { GatehouseError, type GatehouseErrorInit } from '../../base/errors.ts';
import type { Code } from '../../base/codes.ts';

/** RFC 8446 §6. */
export const alerts = { handshakeFailure: 40, decodeError: 50, unrecognizedName: 112 } as const;

/** Content type alert, version 3.3, a length of two bytes, level fatal: as PostgreSQL sends it to every client. */
const FATAL_ALERT = [0x15, 0x03, 0x03, 0x00, 0x02, 0x02] as const;

/** A handshake that ends before it has begun. Its socket is left open, for the alert to be sent. */
export class TlsAlertError extends GatehouseError {
  /** What the client is sent, in clear. */
  readonly record: Buffer;

  constructor(code: Code, alert: (typeof alerts)[keyof typeof alerts], init: GatehouseErrorInit) {
    super(code, init);
    this.record = Buffer.from([...FATAL_ALERT, alert]);
  }
}
