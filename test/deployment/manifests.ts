// The manifests of config/ as programs read them: Kubernetes reads YAML 1.1, where 0440 is an octal number.

import { globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, parseAllDocuments } from 'yaml';

export const config = fileURLToPath(new URL('../../config/', import.meta.url));

/** One object of a manifest. */
export interface Manifest {
  readonly file: string;
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  /** The whole object. */
  readonly object: Readonly<Record<string, unknown>>;
}

/** Every object of config/kubernetes. */
export function kubernetesManifests(): readonly Manifest[] {
  return globSync(`${config}kubernetes/*.yaml`).flatMap((path) =>
    parseAllDocuments(readFileSync(path, 'utf8'), { version: '1.1' }).map((document) => {
      const object: Readonly<Record<string, unknown>> = document.toJS();
      const [apiVersion, kind, name] = [
        object['apiVersion'],
        object['kind'],
        at(object, 'metadata', 'name'),
      ].map(String);
      return { file: basename(path), apiVersion: apiVersion!, kind: kind!, name: name!, object };
    }),
  );
}

/** The object of this kind and name. @throws Error when there is none */
export function manifest(kind: string, name: string): Manifest {
  const found = kubernetesManifests().find((each) => each.kind === kind && each.name === name);
  if (found === undefined) throw new Error(`there is no ${kind} ${name}`);
  return found;
}

/** config/docker-compose.yaml. */
export function composeFile(): unknown {
  return parse(readFileSync(`${config}docker-compose.yaml`, 'utf8'));
}

/** What stands at a path of keys and indexes; undefined where there is nothing. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  let here = value;
  for (const key of path) {
    if (typeof here !== 'object' || here === null) return undefined;
    here = Object.getOwnPropertyDescriptor(here, key)?.value;
  }
  return here;
}

/** A list of objects at a path. */
export function listAt(value: unknown, ...path: readonly (string | number)[]): readonly object[] {
  const list = at(value, ...path);
  return Array.isArray(list) ? list.filter((each) => typeof each === 'object' && each !== null) : [];
}
