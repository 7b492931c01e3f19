// A connection that waited through a reload is judged by what is in force when it is decided on: at each place where a
// client can wait, for each part that can change.

import { testParkedConnections } from './parked.ts';

testParkedConnections(1);
