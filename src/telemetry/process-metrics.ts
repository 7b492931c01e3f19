// What prom-client tells of a process by default, without the two of its measures that cost a gate with nothing to do.

import processStartTime from 'prom-client/lib/metrics/processStartTime.js';
import osMemoryHeap from 'prom-client/lib/metrics/osMemoryHeap.js';
import processOpenFileDescriptors from 'prom-client/lib/metrics/processOpenFileDescriptors.js';
import processMaxFileDescriptors from 'prom-client/lib/metrics/processMaxFileDescriptors.js';
import processResources from 'prom-client/lib/metrics/processResources.js';
import processHandles from 'prom-client/lib/metrics/processHandles.js';
import processRequests from 'prom-client/lib/metrics/processRequests.js';
import heapSizeAndUsed from 'prom-client/lib/metrics/heapSizeAndUsed.js';
import heapSpacesSizeAndUsed from 'prom-client/lib/metrics/heapSpacesSizeAndUsed.js';
import version from 'prom-client/lib/metrics/version.js';
import gc from 'prom-client/lib/metrics/gc.js';
import { collectEventLoopLag } from './event-loop-lag.ts';
import { Counter, type Registry } from './prom-client.ts';

const collectors = [
  processStartTime,
  osMemoryHeap,
  processOpenFileDescriptors,
  processMaxFileDescriptors,
  processResources,
  processHandles,
  processRequests,
  heapSizeAndUsed,
  heapSpacesSizeAndUsed,
  version,
  gc,
];

/** Adds the metrics of this process to a registry, none of which wakes it. */
export function collectProcessMetrics(registry: Registry): void {
  collectCpu(registry);
  for (const collect of collectors) collect(registry);
  collectEventLoopLag(registry);
}

/** As prom-client's own, which loads OpenTelemetry for the case that somebody traces. */
function collectCpu(registry: Registry): void {
  const registers = [registry];
  const user = new Counter({
    name: 'process_cpu_user_seconds_total',
    help: 'Total user CPU time spent in seconds.',
    registers,
    // The first of the three, which sets them all.
    collect: () => {
      const now = process.cpuUsage();
      const [userMicros, systemMicros] = [now.user - last.user, now.system - last.system];
      last = now;
      user.inc(userMicros / 1e6);
      system.inc(systemMicros / 1e6);
      both.inc((userMicros + systemMicros) / 1e6);
    },
  });
  const system = new Counter({
    name: 'process_cpu_system_seconds_total',
    help: 'Total system CPU time spent in seconds.',
    registers,
  });
  const both = new Counter({
    name: 'process_cpu_seconds_total',
    help: 'Total user and system CPU time spent in seconds.',
    registers,
  });
  let last = process.cpuUsage();
}
