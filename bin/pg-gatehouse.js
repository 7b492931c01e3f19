#!/usr/bin/env node
// The command. Written for any Node, so that one that is too old is told so instead of failing on syntax.

var needed = [24, 17];
var found = process.versions.node.split('.').map(Number);
if (found[0] < needed[0] || (found[0] === needed[0] && found[1] < needed[1])) {
  process.stderr.write(
    'pg-gatehouse needs Node ' + needed.join('.') + ' or newer; this is Node ' + process.versions.node + '\n',
  );
  process.exit(1);
}
import('../dist/cli.js').catch(function (error) {
  process.stderr.write(String((error && error.stack) || error) + '\n');
  process.exit(1);
});
