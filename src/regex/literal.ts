// What a subject must begin with before it is worth running an automaton: most rules of a long file name somebody
// else, and a comparison of strings tells so at once.

import type { ByteString } from '../base/bytestring.ts';
import type { Piece, Syntax } from './syntax.ts';

/** The bytes that every subject that matches begins with; empty where nothing can be said. */
export function literalPrefix({ regex, constraints, newlineAnchors }: Syntax): ByteString {
  const [branch, ...others] = regex.branches;
  if (branch === undefined || others.length > 0) return '';
  const anchor = branch[0]?.atom;
  if (anchor?.kind !== 'constraint') return '';
  const constraint = constraints[anchor.index];
  if (constraint?.kind !== 'simple') return '';
  const { name } = constraint;
  if (name !== 'string-start' && (name !== 'line-start' || newlineAnchors)) return '';
  const bytes = branch.slice(1).map(literalByte);
  const end = bytes.indexOf('');
  return bytes.slice(0, end === -1 ? bytes.length : end).join('');
}

/** The one byte that a piece matches, or nothing. */
function literalByte({ atom, min, max }: Piece): ByteString {
  if (atom.kind !== 'byte' || min !== 1 || max !== 1) return '';
  const byte = atom.set.indexOf(1);
  return byte !== -1 && byte === atom.set.lastIndexOf(1) ? String.fromCharCode(byte) : '';
}
