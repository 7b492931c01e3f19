// Empties the folder that the build is about to fill, so that no file of an older source tree is shipped.
import { rmSync } from 'node:fs';

for (const folder of process.argv.slice(2)) rmSync(folder, { recursive: true, force: true });
