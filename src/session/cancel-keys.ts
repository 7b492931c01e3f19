// The keys that the gate has given to its clients' sessions. They are the gate's own: what the upstream's BackendKeyData
// says never reaches a client, and a key of the upstream's is unknown here.

import { hash, randomBytes, randomFillSync, timingSafeEqual } from 'node:crypto';
import { MAX_CANCEL_KEY_LENGTH } from '../protocol/backend-key-data.ts';

/** Bytes of the secret that keys are looked up with. */
const SECRET_BYTES = 32;

interface Issued<Owner> {
  readonly owner: Owner;
  readonly key: Buffer;
}

/** The keys of one process, found without a walk over the sessions. */
export class CancelKeys<Owner> {
  /**
   * SECURITY: keys are looked up by a hash that nobody outside can compute. A look-up by the key itself, or by a pid
   * that thousands of sessions may share, would take a time that tells of the keys there are.
   */
  readonly #hashed = Buffer.concat([randomBytes(SECRET_BYTES), Buffer.alloc(4 + MAX_CANCEL_KEY_LENGTH)]);
  readonly #random = new RandomPool();
  readonly #issued = new Map<number, Issued<Owner>>();
  readonly #slots = new Map<Owner, number>();

  /**
   * Gives a session a new key; the one that it had is forgotten.
   *
   * @param pid what the client is told beside the key; sessions may share it
   * @param length in bytes
   */
  issue(owner: Owner, pid: number, length: number): Buffer {
    this.revoke(owner);
    for (;;) {
      const key = this.#random.take(length);
      const slot = this.#slotOf(pid, key);
      // Four bytes may come twice: a request with them would cancel another session's query.
      if (this.#issued.has(slot)) continue;
      this.#issued.set(slot, { owner, key });
      this.#slots.set(owner, slot);
      return key;
    }
  }

  /** Forgets the session's key. Nothing happens where it has none. */
  revoke(owner: Owner): void {
    const slot = this.#slots.get(owner);
    if (slot === undefined) return;
    this.#slots.delete(owner);
    this.#issued.delete(slot);
  }

  /** The session that was given this pid and key; null where there is none. */
  find(pid: number, key: Buffer): Owner | null {
    const issued = this.#issued.get(this.#slotOf(pid, key));
    return issued !== undefined && isSameKey(issued.key, key) ? issued.owner : null;
  }

  /** 48 bits of the hash, the most that Buffer reads as a number. The hash is shown to nobody, so it needs no HMAC. */
  #slotOf(pid: number, key: Buffer): number {
    const keyAt = this.#hashed.writeInt32BE(pid, SECRET_BYTES);
    const length = keyAt + key.copy(this.#hashed, keyAt);
    return hash('sha256', this.#hashed.subarray(0, length), 'buffer').readUIntBE(0, 6);
  }
}

/** Random bytes, of which many are made at one time: a request for each key costs as much as the key's hash. */
class RandomPool {
  readonly #bytes = Buffer.alloc(4 * MAX_CANCEL_KEY_LENGTH);
  #used = this.#bytes.length;

  /** Bytes that nobody else has been given, and that are nowhere else in memory. */
  take(length: number): Buffer {
    if (this.#used + length > this.#bytes.length) {
      randomFillSync(this.#bytes);
      this.#used = 0;
    }
    const taken = this.#bytes.subarray(this.#used, this.#used + length);
    const copy = Buffer.from(taken);
    taken.fill(0);
    this.#used += length;
    return copy;
  }
}

/**
 * SECURITY: takes the same time for every guess, as in PostgreSQL 18. Otherwise the time would tell how much of it is
 * right.
 */
function isSameKey(ours: Buffer, theirs: Buffer): boolean {
  return ours.length === theirs.length && timingSafeEqual(ours, theirs);
}
