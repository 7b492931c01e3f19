// A server's pg_ident.conf as the gate's. A line that PostgreSQL refuses becomes a comment: that keeps people out.

import type { ByteString } from '../base/bytestring.ts';
import { LoadError } from '../base/problems.ts';
import { loadIdent } from '../rules/ident.ts';
import { fieldsOf, logicalLines } from '../rules/scan.ts';
import type { FileSystem } from '../rules/types.ts';
import type { Note } from './hba.ts';

/** The gate's file, and a note for each line that could not stay. */
export function migrateIdent(
  file: string,
  fs: FileSystem,
): { readonly text: ByteString; readonly notes: readonly Note[] } {
  const lines: ByteString[] = [];
  const notes: Note[] = [];
  for (const { raw, line } of logicalLines(fs.readFile(file))) {
    const reason = fieldsOf(raw).length === 0 ? null : objection(file, raw, fs);
    if (reason === null) {
      lines.push(raw);
      continue;
    }
    lines.push(`# pg-gatehouse: ${raw.trim()}  (${reason})`);
    notes.push({ file, line, reason, serious: false });
  }
  return { text: `${lines.join('\n')}\n`, notes };
}

function objection(file: string, raw: ByteString, fs: FileSystem): string | null {
  try {
    loadIdent(file, { ...fs, readFile: (path) => (path === file ? `${raw}\n` : fs.readFile(path)) });
    return null;
  } catch (error) {
    if (error instanceof LoadError) return error.problems[0]?.message ?? error.message;
    throw error;
  }
}
