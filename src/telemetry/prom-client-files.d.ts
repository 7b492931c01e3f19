// The types of prom-client's single files, which the package declares as a whole only.

declare module 'prom-client/lib/counter.js' {
  export { Counter as default } from 'prom-client';
}

declare module 'prom-client/lib/gauge.js' {
  export { Gauge as default } from 'prom-client';
}

declare module 'prom-client/lib/histogram.js' {
  export { Histogram as default } from 'prom-client';
}

declare module 'prom-client/lib/registry.js' {
  export { Registry as default } from 'prom-client';
}

declare module 'prom-client/lib/cluster.js' {
  export { AggregatorRegistry as default } from 'prom-client';
}

declare module 'prom-client/lib/metrics/*' {
  import type { Registry } from 'prom-client';
  /** Adds some of the default metrics to a registry. */
  export default function collect(registry: Registry): void;
}
