// What a server answers a query with, checked message by message before a library decodes it. SECURITY: node-postgres reads
// an ErrorResponse without its last NUL in a loop that never ends, and other faults as errors that nobody catches.

import { MessageFormatError, MessageReader } from '../message-reader.ts';
import { MESSAGE_HEADER_LENGTH } from '../message.ts';
import { violation } from '../violation.ts';

/** Messages without a body: ParseComplete, BindComplete, CloseComplete, NoData, EmptyQueryResponse. */
const EMPTY: ReadonlySet<string> = new Set(['1', '2', '3', 'n', 'I']);

/** Messages that may come at any time and say nothing about the query: they are left out. */
const ASIDE: ReadonlySet<string> = new Set(['N', 'S', 'A']);

/** The longest message that is held, in bytes; one that comes piece by piece is copied with each of them. */
const MAX_MESSAGE_LENGTH = 1_048_576;

/** A field of RowDescription after its name: OIDs, numbers and sizes. */
const FIELD_BYTES = 18;

/** Cuts a server's answer into whole messages. */
export class AnswerMessages {
  #held = Buffer.alloc(0);

  /**
   * Adds what has arrived. What is held is bounded by the caller, who bounds an answer as a whole.
   *
   * @returns the messages that are whole by now, each checked, without those that say nothing about the query
   * @throws GatehouseError `upstream-protocol-violation` for what no answer has
   */
  push(chunk: Buffer): Buffer {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const whole: Buffer[] = [];
    let at = 0;
    while (bytes.length - at >= MESSAGE_HEADER_LENGTH) {
      const length = bytes.readUInt32BE(at + 1);
      if (length < 4 || length > MAX_MESSAGE_LENGTH) throw violation(`message length ${length}`);
      if (bytes.length - at < length + 1) break;
      const message = bytes.subarray(at, at + length + 1);
      if (isPartOfAnswer(message)) whole.push(message);
      at += length + 1;
    }
    this.#held = Buffer.from(bytes.subarray(at));
    return Buffer.concat(whole);
  }
}

/** Checks one whole message. False = it says nothing about the query. */
function isPartOfAnswer(message: Buffer): boolean {
  const type = String.fromCharCode(message[0] ?? 0);
  if (ASIDE.has(type)) return false;
  const reader = new MessageReader(message.subarray(MESSAGE_HEADER_LENGTH));
  try {
    readBody(type, reader);
    reader.end();
  } catch (error) {
    if (error instanceof MessageFormatError) throw violation(`a malformed message of type ${type}`, error);
    throw error;
  }
  return true;
}

function readBody(type: string, reader: MessageReader): void {
  switch (type) {
    case 'T':
      for (let left = reader.count(); left > 0; left--) {
        reader.string();
        reader.bytes(FIELD_BYTES);
      }
      return;
    case 'D':
      for (let left = reader.count(); left > 0; left--) {
        const length = reader.int32();
        if (length !== -1) reader.bytes(length);
      }
      return;
    case 'C':
      reader.string();
      return;
    case 'E':
      while (reader.byte() !== '\0') reader.string();
      return;
    case 'Z':
      reader.byte();
      return;
    default:
      if (!EMPTY.has(type))
        throw violation(`message type 0x${type.charCodeAt(0).toString(16).padStart(2, '0')}`);
  }
}
