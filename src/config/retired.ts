// Settings that PostgreSQL still takes and that mean nothing any more, so that a file with them loads as it stands.

import type { Problem } from '../base/problems.ts';
import { integer, type Setting } from './kinds.ts';
import type { Settings } from './schema.ts';

/** By name, with the values that PostgreSQL takes. */
export const retiredSettings: ReadonlyMap<string, Setting<unknown>> = new Map([
  ['ssl_renegotiation_limit', integer({ default: '0', min: 0, max: 0, doc: '' })],
]);

/** Each one that is set stands there for nothing. */
export function retiredWarnings({ placeOf }: Pick<Settings, 'placeOf'>): readonly Problem[] {
  return [...retiredSettings.keys()].flatMap((name) => {
    const { source, file, line } = placeOf(name);
    if (source === 'default') return [];
    const message = `parameter "${name}" means nothing: SSL renegotiation is no longer supported`;
    return [{ file, line, message, hint: 'Delete the line.' }];
  });
}
