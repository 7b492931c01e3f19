// The frontend messages of the console: whatever is in one, the session answers with whole messages, goes on, and is ready
// after each Query and Sync. The user is in no list any more, so that no engine is started: what a statement computes is
// not what is fuzzed.

import { ConsoleSession } from '../../src/console/console-session.ts';
import { emptyView } from '../../test/console/empty-view.ts';
import { decodeMessages } from '../../test/support/peers/messages.ts';
import { Draws } from '../draws.ts';
import { invariant, tokens, type Target } from '../target.ts';

const TYPES = 'QPBDECSHXdcfF'.split('');

export function consoleTarget(): Target {
  return {
    maxLength: 4_096,
    limitMs: 500,
    seeds: [
      Buffer.concat([
        message('Q', "begin; select 1 + $1; show ssl; copy (select 'a') to stdout csv; commit\0"),
      ]),
      Buffer.concat([
        message('P', 's\0select $1::int, $$x$$ from rules where line >= $2 limit $3\0\0\u0001\0\0\0\u0017'),
        message(
          'B',
          '\0s\0\0\u0001\0\u0001\0\u0003\0\0\0\u0004\0\0\0\u0001\xff\xff\xff\xff\0\0\0\u00011\0\0',
        ),
        message('D', 'Ss\0'),
        message('E', '\0\0\0\0\u0002'),
        message('C', 'P\0'),
        message('H', ''),
        message('S', ''),
      ]),
      message('Q', "kill_client 'a'; /* b /* c */ */ select E'\\n' -- d\0"),
      message('X', ''),
    ],
    dictionary: tokens('select ¦$1¦::¦(values (1)) v(x)¦interval¦copy ¦ to stdout¦show ¦;¦\0¦begin¦rollback'),
    run: async (input) => {
      const draws = new Draws(input);
      let written: Buffer[] = [];
      const session = new ConsoleSession(
        { view: emptyView, user: 'u', role: () => 'none', database: 'd', pid: 1, onAction: () => undefined },
        { write: (bytes) => written.push(bytes), drained: () => Promise.resolve() },
      );
      try {
        for (let count = 0; count < 50; count++) {
          const type = draws.pick(TYPES);
          const body = draws.take(draws.below(256) + 256 * draws.below(4));
          written = [];
          const goesOn = await session.receive(type, body);
          invariant(goesOn === (type !== 'X'), 'only a goodbye ends it');
          const answers = decodeMessages(Buffer.concat(written)).map((answer) => answer.type);
          const isReady = type === 'Q' || type === 'S';
          invariant(!isReady || answers.at(-1) === 'Z', 'a Query and a Sync are answered');
          invariant(isReady || !answers.includes('Z'), 'and nothing else says that it is ready');
          invariant(!answers.includes('D'), 'nobody is shown anything');
          if (body.length === 0 && type === 'X') break;
        }
      } finally {
        session.close();
      }
    },
  };
}

/** A message as `run` draws it. */
function message(type: string, body: string): Buffer {
  const bytes = Buffer.from(body, 'latin1');
  return Buffer.concat([
    Buffer.from([TYPES.indexOf(type), bytes.length % 256, Math.floor(bytes.length / 256)]),
    bytes,
  ]);
}
