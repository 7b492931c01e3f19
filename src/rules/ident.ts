// pg_ident.conf: the maps from a certificate's name to database users (semantics §7). A missing file is an
// empty one (contract §7.1); a bad line refuses the whole.

import { LoadError } from '../base/problems.ts';
import { runToEnd, type Steps } from '../base/steps.ts';
import { BadLine } from './bad-line.ts';
import { parsePattern, parseUser, PatternCache } from './specs.ts';
import { parseRecords, readLinesInSteps } from './tokens.ts';
import type { FileSystem, IdentMaps, IdentRecord, Line, Roles, Token } from './types.ts';
import { warnOfUsers } from './warnings.ts';

/**
 * Loads a pg_ident.conf (absolute path) with everything it includes; `roles` only serves warnings.
 * Throws LoadError with all problems: PostgreSQL's texts, each with its own file and line.
 */
export function loadIdent(file: string, fs: FileSystem, roles: Roles | null = null): IdentMaps {
  return runToEnd(loadIdentInSteps(file, fs, roles));
}

/** The same as work that may be interrupted. */
export function* loadIdentInSteps(
  file: string,
  fs: FileSystem,
  roles: Roles | null = null,
): Steps<IdentMaps> {
  const { entries, warnings, missing } = yield* readLinesInSteps(file, fs);
  if (missing) return { file, records: [], warnings: [] };
  const patterns = new PatternCache();
  const { records, problems } = yield* parseRecords(entries, (line) => parseIdentLine(line, patterns));
  if (problems.length > 0) throw new LoadError(problems);
  const roleWarnings = records.flatMap((record) =>
    roles === null || record.databaseUser.kind !== 'member'
      ? []
      : warnOfUsers(record, [record.databaseUser], roles),
  );
  return { file, records, warnings: [...warnings, ...roleWarnings] };
}

/** Map, system user, database user; further fields mean nothing (semantics §7.1). */
function parseIdentLine(line: Line, patterns: PatternCache): IdentRecord {
  const map = singleToken(line, 0);
  const systemUser = singleToken(line, 1);
  const databaseUser = singleToken(line, 2);
  const systemPattern = parsePattern(systemUser, patterns);
  return {
    file: line.file,
    line: line.line,
    map: map.text,
    systemUser:
      systemPattern === null
        ? { kind: 'name', name: systemUser.text }
        : { kind: 'pattern', pattern: systemPattern },
    databaseUser: parseUser(databaseUser, patterns),
  };
}

function singleToken(line: Line, index: number): Token {
  const [token, extra] = line.fields[index] ?? [];
  if (token === undefined) throw new BadLine('missing entry at end of line');
  if (extra !== undefined) throw new BadLine('multiple values in ident field');
  return token;
}
