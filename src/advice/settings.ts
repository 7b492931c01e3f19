// What a setting says in form and not in fact.

import { basename, dirname } from 'node:path';
import type { Problem } from '../base/problems.ts';
import type { Settings } from '../config/schema.ts';

/** Advice on the settings of a configuration that loads. */
export function adviseOnSettings({
  upstream,
  placeOf,
}: Pick<Settings, 'upstream' | 'placeOf'>): readonly Problem[] {
  const [, port] = /^\.s\.PGSQL\.(\d+)$/.exec(basename(upstream.host)) ?? [];
  if (!upstream.host.startsWith('/') || port === undefined) return [];
  const { file, line } = placeOf('upstream.host');
  return [
    {
      file,
      line,
      message: 'upstream.host names the socket itself, and must name the directory that it is in',
      hint: `Write host: ${dirname(upstream.host)} and port: ${port} beneath "upstream:".`,
    },
  ];
}
