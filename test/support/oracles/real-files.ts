// Rule files of real users with what PostgreSQL 18.4 makes of each. They stand beside the project, never in it: their
// texts derive from other people's files. Without them the tests over them name themselves as left out.

import { existsSync, readFileSync } from 'node:fs';

/** An error that PostgreSQL reports, or that an earlier contract added (`by`). */
export interface RealError {
  readonly file: string;
  readonly line: number | null;
  readonly message: string;
  readonly by?: string;
}

/** One pg_hba.conf. */
export interface RealHba {
  readonly id: number;
  readonly text: string;
  /** What it includes, by relative name. */
  readonly files?: Readonly<Record<string, string>>;
  readonly postgres_takes: boolean;
  readonly errors: readonly RealError[];
}

/** One pg_ident.conf. */
export interface RealIdent {
  readonly id: number;
  readonly text: string;
  readonly errors: readonly RealError[];
}

/** Where they stand: GATEHOUSE_REAL_FILES, or `shared` beside the checkout or the folder that it is in. */
function find(): URL | null {
  const { GATEHOUSE_REAL_FILES: named } = process.env;
  const places = [
    ...(named === undefined ? [] : [`${named}/`]),
    ...['../../../../shared', '../../../../../shared'].map((place) => `${place}/vectors/real-files/`),
  ];
  return places.map((place) => new URL(place, import.meta.url)).find((url) => existsSync(url)) ?? null;
}

const folder = find();

/** For `test()`: skips with a reason where the files are not there. */
export const needsRealFiles: { readonly skip?: string } =
  folder === null ? { skip: 'the real files (GATEHOUSE_REAL_FILES) are not there' } : {};

function read(name: string): string {
  return folder === null ? '{"files":[]}' : readFileSync(new URL(name, folder), 'utf8');
}

/** Every pg_hba.conf; none where they are not there. */
export function realHbaFiles(): readonly RealHba[] {
  const { files }: { readonly files: readonly RealHba[] } = JSON.parse(read('hba.json'));
  return files;
}

/** Every pg_ident.conf. */
export function realIdentFiles(): readonly RealIdent[] {
  const { files }: { readonly files: readonly RealIdent[] } = JSON.parse(read('ident.json'));
  return files;
}
