// prom-client file by file. Its index has a Pushgateway's client and OpenTelemetry with it, and Node's zlib for them: 100
// files that no gate uses. package.json names one version exactly, so its files stay where they are.

export { default as Counter } from 'prom-client/lib/counter.js';
export { default as Gauge } from 'prom-client/lib/gauge.js';
export { default as Histogram } from 'prom-client/lib/histogram.js';
export { default as Registry } from 'prom-client/lib/registry.js';
