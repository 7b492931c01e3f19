// Messages of the extended query protocol, as a driver sends them.

import { cstring, message } from '../support/peers/raw-client.ts';

const NONE = Buffer.from([0, 0]);

/** Parse; no type of a parameter is said. */
export function parse(name: string, sql: string): Buffer {
  return message('P', cstring(name), cstring(sql), NONE);
}

/** Describe, of a statement. */
export function describe(name: string): Buffer {
  return message('D', Buffer.from('S'), cstring(name));
}

/** Bind without parameters, and Execute, by the unnamed portal. */
export function execute(name: string): Buffer {
  return Buffer.concat([
    message('B', cstring(''), cstring(name), NONE, NONE, NONE),
    message('E', cstring(''), Buffer.alloc(4)),
  ]);
}

export const SYNC = message('S');
