// config/kubernetes/component merged into a StatefulSet that knows nothing of the gate: what comes out is valid by the
// published schemas, and the gate in it can read its key without an fsGroup.

import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { parse, parseAllDocuments } from 'yaml';
import { testAuthority } from '../support/certificates/certificates.ts';
import { programCommand, runToEnd } from '../support/run/program.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { at, config, listAt, manifest } from './manifests.ts';

type Plain = Record<string, unknown>;

interface Model {
  validate(): void;
}

const own = join(config, 'kubernetes/own-statefulset');
const component = join(config, 'kubernetes/component');
const statefulSet = documents(join(own, 'statefulset.yaml')).find(({ kind }) => kind === 'StatefulSet')!;
const patch = documents(join(component, 'sidecar.yaml'))[0]!;
const merged = merge(statefulSet, { ...patch, metadata: {} });
const pod = at(merged, 'spec', 'template', 'spec');
const gate = listAt(pod, 'initContainers')[0];

await test('the two kustomizations name files that are there', async (t) => {
  const kustomization: unknown = parse(readFileSync(join(own, 'kustomization.yaml'), 'utf8'));
  t.match(kustomization, {
    kind: 'Kustomization',
    resources: ['statefulset.yaml'],
    components: ['../component'],
  });
  const rules = listAt(kustomization, 'configMapGenerator')[0];
  t.match(rules, { name: 'pg-gatehouse', files: ['gatehouse.yaml', 'pg_hba.conf', 'pg_ident.conf'] });
  t.match(parse(readFileSync(join(component, 'kustomization.yaml'), 'utf8')), {
    kind: 'Component',
    patches: [{ target: { kind: 'StatefulSet' }, path: 'sidecar.yaml' }],
  });
});

await test('the result is valid, and what was there is there', async (t) => {
  const { StatefulSet }: { StatefulSet: new (data: object) => Model } =
    await import('kubernetes-models/apps/v1/StatefulSet');
  t.doesNotThrow(() => new StatefulSet(merged).validate());
  t.strictSame(at(pod, 'containers'), at(statefulSet, 'spec', 'template', 'spec', 'containers'));
  t.strictSame(at(merged, 'spec', 'volumeClaimTemplates'), at(statefulSet, 'spec', 'volumeClaimTemplates'));
  const mounts = listAt(gate, 'volumeMounts').map((mount) => at(mount, 'name'));
  t.strictSame(
    mounts,
    listAt(pod, 'volumes').map((volume) => at(volume, 'name')),
  );
  const service = documents(join(own, 'statefulset.yaml')).find(({ kind }) => kind === 'Service');
  const names = listAt(gate, 'ports').map((port) => at(port, 'name'));
  t.ok(names.includes(at(service, 'spec', 'ports', 0, 'targetPort')));
});

// Debian 12 has none that knows components.
const kubectl = spawnSync('kubectl', ['kustomize', own], { encoding: 'utf8' });
const withKubectl = kubectl.status === 0 ? {} : { skip: 'no kubectl that knows components is here' };

await test('kubectl merges it to the same', withKubectl, async (t) => {
  const rendered = parseAllDocuments(kubectl.stdout, { version: '1.1' }).map((document): Plain =>
    document.toJS(),
  );
  t.strictSame(
    rendered.find(({ kind }) => kind === 'StatefulSet'),
    merged,
  );
});

await test('it is the sidecar of the whole example', async (t) => {
  const whole = listAt(
    at(manifest('StatefulSet', 'legacy-postgres').object, 'spec', 'template', 'spec'),
    'initContainers',
  )[0];
  for (const field of [
    'image',
    'restartPolicy',
    'startupProbe',
    'readinessProbe',
    'livenessProbe',
    'lifecycle',
  ])
    t.strictSame(at(gate, field), at(whole, field), field);
  for (const field of ['ports', 'resources']) t.strictSame(at(gate, field), at(whole, field), field);
});

await test('the settings load, and the key is readable without an fsGroup', async (t) => {
  const directory = temporaryDirectory(t);
  const authority = testAuthority(t);
  const server = authority.server();
  const settings = readFileSync(join(own, 'gatehouse.yaml'), 'utf8')
    .replace('/etc/pg-gatehouse-tls/tls.crt', server.certFile)
    .replace('/etc/pg-gatehouse-tls/tls.key', server.keyFile)
    .replace('/etc/pg-gatehouse-clients/ca.crt', authority.caFile);
  writeFileSync(join(directory, 'gatehouse.yaml'), settings);
  for (const file of ['pg_hba.conf', 'pg_ident.conf'])
    writeFileSync(join(directory, file), readFileSync(join(own, file)));
  const check = [...programCommand('dist'), 'check', '--json', '--config', join(directory, 'gatehouse.yaml')];
  // A checkout below a folder of root's own is out of its reach.
  const mayEnter =
    spawnSync(asContainer()[0]!, [...asContainer().slice(1), 'test', '-r', config]).status === 0;
  const [command, ...args] = mayEnter ? [...asContainer(), ...check] : check;
  if (mayEnter) {
    // As the kubelet writes a Secret's files: root's, with defaultMode.
    chownSync(server.keyFile, 0, 0);
    chmodSync(server.keyFile, Number(at(listAt(pod, 'volumes')[1], 'secret', 'defaultMode')));
    for (const folder of [directory, authority.directory]) chmodSync(folder, 0o755);
  }
  const { stdout, stderr } = await runToEnd(command!, args);
  t.match(JSON.parse(stdout || '{}'), { ok: true, errors: [] }, stderr);
});

function asContainer(): string[] {
  const [user, group] = ['runAsUser', 'runAsGroup'].map((name) => String(at(gate, 'securityContext', name)));
  return ['setpriv', `--reuid=${user}`, `--regid=${group}`, '--clear-groups', '--inh-caps=-all'];
}

/** Kubernetes reads YAML 1.1, where 0440 is an octal number. */
function documents(file: string): Plain[] {
  return parseAllDocuments(readFileSync(file, 'utf8'), { version: '1.1' }).map((document) => document.toJS());
}

/** A strategic merge as far as the component needs it: maps by key, lists of named things added to. */
function merge(base: Plain, change: Plain): Plain {
  const result: Plain = { ...base };
  for (const [key, value] of Object.entries(change)) {
    const before = result[key];
    if (Array.isArray(value)) result[key] = [...value, ...(Array.isArray(before) ? before : [])];
    else if (isMap(value) && isMap(before)) result[key] = merge(before, value);
    else result[key] = value;
  }
  return result;
}

function isMap(value: unknown): value is Plain {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
