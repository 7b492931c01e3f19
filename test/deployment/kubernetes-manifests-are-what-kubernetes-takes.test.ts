// config/kubernetes against the published schemas of Kubernetes, cert-manager and the Prometheus operator, field names
// included, and what only a program of ours can check: that the probes, settings and limits in them mean what they say.

import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { testAuthority } from '../support/certificates/certificates.ts';
import { startGate } from '../support/run/gate.ts';
import { runProgram, runToEnd } from '../support/run/program.ts';
import { scriptedUpstream, scripts } from '../support/peers/scripted-upstream.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { at, kubernetesManifests, listAt, manifest, type Manifest } from './manifests.ts';

interface Model {
  validate(): void;
}

/** Where the schema of an object is published. */
function schemaModule({ apiVersion, kind }: Manifest): string {
  const [group = ''] = apiVersion.split('/');
  const packages: Readonly<Record<string, string>> = {
    'cert-manager.io': '@kubernetes-models/cert-manager',
    'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
  };
  return `${packages[group] ?? 'kubernetes-models'}/${apiVersion}/${kind}`;
}

/** A program that is right if every object has the fields of its type, and no others. */
function typed(manifests: readonly Manifest[]): string {
  const declarations = manifests.map(
    (each, index) =>
      `import type { I${each.kind} as T${index} } from '${schemaModule(each)}';\n` +
      `const object${index}: T${index} = ${JSON.stringify(each.object)};\n`,
  );
  return declarations.join('');
}

const statefulSet = manifest('StatefulSet', 'legacy-postgres').object;
const pod = at(statefulSet, 'spec', 'template', 'spec');
const gate = listAt(pod, 'initContainers').find((container) => at(container, 'name') === 'gatehouse');
const database = listAt(pod, 'containers')[0];

await test('every object is valid by its published schema', async (t) => {
  const manifests = kubernetesManifests();
  t.ok(manifests.length > 6);
  for (const each of manifests) {
    const module: Readonly<Record<string, new (data: object) => Model>> = await import(schemaModule(each));
    const Schema = module[each.kind]!;
    t.doesNotThrow(() => new Schema(each.object).validate(), `${each.file}: ${each.kind} ${each.name}`);
  }
});

await test('no field is misspelt, and no field is unknown', async (t) => {
  const directory = temporaryDirectory(t);
  const root = fileURLToPath(new URL('../../', import.meta.url));
  symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'));
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
  const check = async (name: string, manifests: readonly Manifest[]) => {
    const compilerOptions = { noEmit: true, strict: true, skipLibCheck: true, module: 'nodenext', types: [] };
    writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: [name] }));
    writeFileSync(join(directory, name), typed(manifests));
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    return await runToEnd(process.execPath, [tsc, '--project', directory], { cwd: directory });
  };
  t.match(await check('manifests.ts', kubernetesManifests()), { code: 0, stdout: '' });
  const misspelt = manifest('NetworkPolicy', 'legacy-postgres');
  const spec = { podselector: {} };
  const { stdout } = await check('misspelt.ts', [{ ...misspelt, object: { ...misspelt.object, spec } }]);
  t.match(stdout, /'"podselector"' does not exist in type/, 'one that is misspelt would be found');
});

await test('the gate is a native sidecar, and neither container can do more than it must', async (t) => {
  t.equal(at(gate, 'restartPolicy'), 'Always');
  t.match(at(pod, 'securityContext'), { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
  for (const container of [gate, database]) {
    t.match(at(container, 'securityContext'), {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    t.ok(Number(at(container, 'securityContext', 'runAsUser')) > 0);
  }
  const secret = listAt(pod, 'volumes').find((volume) => at(volume, 'name') === 'server-tls');
  t.equal(at(secret, 'secret', 'defaultMode'), 0o440, "within PostgreSQL's 0640 for a key of root's");
  t.equal(at(pod, 'securityContext', 'fsGroup'), at(gate, 'securityContext', 'runAsGroup'), 'and readable');
});

await test('only the TLS port is open', async (t) => {
  t.match(at(database, 'args'), ['postgres', '-c', 'listen_addresses=127.0.0.1']);
  t.equal(at(database, 'ports'), undefined);
  const { object } = manifest('NetworkPolicy', 'legacy-postgres');
  t.strictSame(at(object, 'spec', 'ingress'), [{ ports: [{ protocol: 'TCP', port: 6432 }] }]);
  t.strictSame(at(object, 'spec', 'podSelector'), at(statefulSet, 'spec', 'selector'));
});

await test('the configuration in the ConfigMap loads, and its drain fits into the grace period', async (t) => {
  const directory = temporaryDirectory(t);
  const authority = testAuthority(t);
  const server = authority.server();
  const data = at(manifest('ConfigMap', 'gatehouse').object, 'data');
  const settings = String(at(data, 'gatehouse.yaml'))
    .replace('/etc/gatehouse-tls/tls.crt', server.certFile)
    .replace('/etc/gatehouse-tls/tls.key', server.keyFile)
    .replace('/etc/gatehouse-clients/ca.crt', authority.caFile);
  writeFileSync(join(directory, 'gatehouse.yaml'), settings);
  for (const file of ['pg_hba.conf', 'pg_ident.conf'])
    writeFileSync(join(directory, file), String(at(data, file)));
  const checked = await runProgram(['check', '--json', '--config', join(directory, 'gatehouse.yaml')]);
  t.strictSame(JSON.parse(checked.stdout), { ok: true, errors: [], warnings: [] });

  const shutdownSeconds = Number(/shutdown_timeout: (\d+)s/.exec(settings)?.[1]);
  const wait = Number(/sleep (\d+);/.exec(JSON.stringify(at(gate, 'lifecycle')))?.[1]);
  const waitOfDatabase = Number(/seq (\d+)/.exec(JSON.stringify(at(database, 'lifecycle')))?.[1]);
  t.ok(waitOfDatabase > wait + shutdownSeconds, 'the database outlives the drain');
  t.ok(
    Number(at(pod, 'terminationGracePeriodSeconds')) >= waitOfDatabase + 30,
    'and has time for its checkpoint',
  );
});

await test('the probes tell a gate that lives from one that is ready, and start nothing', async (t) => {
  const ports = listAt(gate, 'ports').find((port) => at(port, 'name') === 'status');
  const settings = String(at(manifest('ConfigMap', 'gatehouse').object, 'data', 'gatehouse.yaml'));
  t.match(settings, `status_listen: '*:${String(at(ports, 'containerPort'))}'`, 'the port of the probes');
  const upstream = await scriptedUpstream(t, scripts.trust);
  const start = async (behind: typeof upstream | { host: string; port: number }): Promise<string> => {
    const config = { admin: { listen: '127.0.0.1:0', status_listen: '127.0.0.1:0' } };
    const running = await startGate(t, { hba: 'host all all all trust\n', upstream: behind, config });
    return String((await running.waitForLog({ msg: /^status listener on / }))['url']);
  };
  const [running, down] = [await start(upstream), await start({ host: '127.0.0.1', port: 1 })];
  const probe = async (name: string, url: string): Promise<number> => {
    t.equal(at(gate, name, 'exec'), undefined, `${name} starts no process`);
    t.equal(at(gate, name, 'httpGet', 'port'), 'status');
    return (await fetch(`${url}${String(at(gate, name, 'httpGet', 'path'))}`)).status;
  };
  const table = [
    ['startupProbe', 200, 200],
    ['livenessProbe', 200, 200],
    ['readinessProbe', 200, 503],
  ] as const;
  for (const [name, whenRunning, whenUpstreamIsDown] of table) {
    t.equal(await probe(name, running), whenRunning, name);
    t.equal(await probe(name, down), whenUpstreamIsDown, `${name}, upstream down`);
  }
});

await test("the monitor selects the gate's pods, needs no certificate, and is let in", async (t) => {
  const { object } = manifest('PodMonitor', 'legacy-postgres');
  t.strictSame(at(object, 'spec', 'selector'), at(statefulSet, 'spec', 'selector'));
  const [endpoint] = listAt(object, 'spec', 'podMetricsEndpoints');
  t.strictSame(endpoint, { port: 'status', path: '/metrics', interval: '30s' });
  const [rule] = listAt(manifest('NetworkPolicy', 'legacy-postgres-monitoring').object, 'spec', 'ingress');
  const status = listAt(gate, 'ports').find((port) => at(port, 'name') === 'status');
  t.strictSame(at(rule, 'ports'), [{ protocol: 'TCP', port: at(status, 'containerPort') }]);
});
