// A server's pg_ident.conf as the gate's. A line that PostgreSQL refuses becomes a comment: that keeps people out.

import type { ByteString } from '../base/bytestring.ts';
import { LoadError } from '../base/problems.ts';
import { loadIdent } from '../rules/ident.ts';
import type { FileSystem } from '../rules/types.ts';
import type { Note } from './hba.ts';
import { commentOf, holdingOnly, linesOf, textOf, withAbsoluteNames, type PlacedLine } from './included.ts';

/** The gate's file, and a note for each line that could not stay. */
export function migrateIdent(
  file: string,
  fs: FileSystem,
): { readonly text: ByteString; readonly notes: readonly Note[] } {
  const lines: ByteString[] = [];
  const notes: Note[] = [];
  for (const found of linesOf(file, fs)) {
    if (found.kind === 'text') {
      lines.push(found.raw);
      continue;
    }
    const reason = found.kind === 'unreadable' ? found.reason : objectionTo(found, fs);
    if (reason === null) {
      lines.push(withAbsoluteNames(found, fs));
      continue;
    }
    lines.push(commentOf(found.raw, reason));
    notes.push({ file: found.file, line: found.line, reason, serious: false });
  }
  return { text: textOf(lines), notes };
}

function objectionTo(line: PlacedLine, fs: FileSystem): string | null {
  try {
    loadIdent(line.file, holdingOnly(line, fs));
    return null;
  } catch (error) {
    if (error instanceof LoadError) return error.problems[0]?.message ?? error.message;
    throw error;
  }
}
