// Where a run took place, and whether it had the machine to itself.

import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { cpuSeconds } from './process-tree.ts';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  /** Whether a hypervisor is below it. */
  readonly virtual: boolean;
  readonly system: string;
  readonly kernel: string;
}

/** What the machine did while the bench ran. */
export interface Load {
  /** Load averages of the last minute. */
  readonly before: number;
  readonly after: number;
  /** CPU that others used, as a share of all there is. */
  readonly othersShare: number;
  /** CPU that the hypervisor gave to others, as a share of all there is. */
  readonly stolenShare: number;
  /** Why figures taken meanwhile prove nothing; empty when the machine was quiet. */
  readonly disturbances: readonly string[];
}

const MAX_LOAD_BEFORE = 1.0;
const MAX_OTHERS_SHARE = 0.05;
const MAX_STOLEN_SHARE = 0.02;

/** The machine that this process runs on. */
export function describeMachine(): Machine {
  const cpuInfo = readFileSync('/proc/cpuinfo', 'utf8');
  return {
    cpu: (cpus()[0]?.model ?? 'unknown').trim(),
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    virtual: /^flags\s*:.*\bhypervisor\b/m.test(cpuInfo),
    system: /^PRETTY_NAME="(.*)"/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'Linux',
    kernel: release(),
  };
}

/** Watches the machine from now on; the function it returns says what was seen. */
export function watchLoad(): () => Load {
  const before = loadavg()[0] ?? 0;
  const start = { ...machineSeconds(), own: cpuSeconds(process.pid) };
  return () => {
    const now = { ...machineSeconds(), own: cpuSeconds(process.pid) };
    const total = Math.max(now.total - start.total, Number.EPSILON);
    const othersShare = Math.max(now.busy - start.busy - (now.own - start.own), 0) / total;
    const stolenShare = (now.stolen - start.stolen) / total;
    const after = loadavg()[0] ?? 0;
    const disturbances = whatDisturbed({ before, othersShare, stolenShare });
    return { before, after, othersShare, stolenShare, disturbances };
  };
}

function whatDisturbed({
  before,
  othersShare,
  stolenShare,
}: Pick<Load, 'before' | 'othersShare' | 'stolenShare'>): string[] {
  return [
    ...(before >= MAX_LOAD_BEFORE ? [`the load average was ${before.toFixed(2)} at the start`] : []),
    ...(othersShare > MAX_OTHERS_SHARE ? [`other programs used ${percent(othersShare)} of the CPU`] : []),
    ...(stolenShare > MAX_STOLEN_SHARE ? [`the hypervisor withheld ${percent(stolenShare)} of the CPU`] : []),
  ];
}

/** A share as people read it. */
export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** proc(5), /proc/stat: user nice system idle iowait irq softirq steal, in ticks of 10 ms on every usual kernel. */
function machineSeconds(): { busy: number; stolen: number; total: number } {
  const line = /^cpu\s+(.*)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1] ?? '';
  const seconds = line.split(' ').map((ticks) => Number(ticks) / 100);
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, stolen = 0] = seconds;
  const busy = user + nice + system + irq + softirq;
  return { busy, stolen, total: busy + idle + iowait + stolen };
}
