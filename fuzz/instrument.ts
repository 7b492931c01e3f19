// Counts which blocks of src/ an input reaches: modules loaded from there after `instrument()` have a counter at each
// function, branch, loop body, case and operand that may be left out. The counters are what the fuzzer is guided by.

import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** More blocks than src/ has; a block beyond them goes uncounted. */
const MAX_BLOCKS = 65_536;
const GLOBAL = '__gatehouseBlocks';
const LONGEST_LITERAL = 40;

/** What the instrumented modules tell. */
export interface Instrumented {
  /** A count per block, modulo 256; the reader clears them. */
  readonly counts: Uint8Array;
  /** Blocks of the modules loaded so far: the part of `counts` in use. */
  readonly blocks: number;
  /** Texts and numbers that stand in the modules: what inputs are probably compared with. */
  readonly literals: readonly Buffer[];
}

const counts = new Uint8Array(MAX_BLOCKS);
const literals = new Map<string, Buffer>();
let blocks = 0;

/** Instruments every module of src/ that is loaded from now on. Call it once, before any of them is imported. */
export function instrument(): Instrumented {
  Reflect.set(globalThis, GLOBAL, counts);
  const source = new URL('../src/', import.meta.url).href;
  registerHooks({
    load(url, context, nextLoad) {
      if (!url.startsWith(source) || !url.endsWith('.ts')) return nextLoad(url, context);
      return { format: 'module', source: instrumented(fileURLToPath(url)), shortCircuit: true };
    },
  });
  return {
    counts,
    get blocks() {
      return Math.min(blocks, MAX_BLOCKS);
    },
    get literals() {
      return [...literals.values()];
    },
  };
}

function instrumented(file: string): string {
  const { outputText } = ts.transpileModule(readFileSync(file, 'utf8'), {
    fileName: file,
    transformers: { before: [countBlocks] },
    compilerOptions: {
      target: ts.ScriptTarget.ES2024,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
      inlineSourceMap: true,
    },
  });
  return `const ${GLOBAL} = globalThis.${GLOBAL};${outputText}`;
}

const countBlocks: ts.TransformerFactory<ts.SourceFile> = (context) => {
  const { factory } = context;

  const counter = (): ts.Expression =>
    factory.createPostfixIncrement(
      factory.createElementAccessExpression(factory.createIdentifier(GLOBAL), blocks++),
    );
  const counting = (statement: ts.Statement): ts.Block =>
    factory.createBlock(
      [
        factory.createExpressionStatement(counter()),
        ...(ts.isBlock(statement) ? statement.statements : [statement]),
      ],
      true,
    );
  const countingOperand = (expression: ts.Expression): ts.Expression =>
    factory.createParenthesizedExpression(factory.createComma(counter(), expression));

  const visit = (node: ts.Node): ts.Node => {
    if (ts.isTypeNode(node) || ts.isImportDeclaration(node) || ts.isInterfaceDeclaration(node)) return node;
    noteLiteral(node);
    const visited = ts.visitEachChild(node, visit, context);
    if (ts.isIfStatement(visited)) {
      const { expression, thenStatement, elseStatement = factory.createBlock([]) } = visited;
      return factory.updateIfStatement(visited, expression, counting(thenStatement), counting(elseStatement));
    }
    if (ts.isConditionalExpression(visited)) {
      const { condition, questionToken, whenTrue, colonToken, whenFalse } = visited;
      return factory.updateConditionalExpression(
        visited,
        condition,
        questionToken,
        countingOperand(whenTrue),
        colonToken,
        countingOperand(whenFalse),
      );
    }
    if (ts.isBinaryExpression(visited) && isShortCircuit(visited.operatorToken.kind)) {
      const { left, operatorToken, right } = visited;
      return factory.updateBinaryExpression(visited, left, operatorToken, countingOperand(right));
    }
    if (ts.isCaseOrDefaultClause(visited)) {
      const statements = [factory.createExpressionStatement(counter()), ...visited.statements];
      return ts.isCaseClause(visited)
        ? factory.updateCaseClause(visited, visited.expression, statements)
        : factory.updateDefaultClause(visited, statements);
    }
    if (
      ts.isBlock(visited) &&
      (ts.isFunctionLike(node.parent) || ts.isIterationStatement(node.parent, false))
    ) {
      return counting(visited);
    }
    if (ts.isArrowFunction(visited) && !ts.isBlock(visited.body)) {
      const { modifiers, typeParameters, parameters, type, equalsGreaterThanToken, body } = visited;
      return factory.updateArrowFunction(
        visited,
        modifiers,
        typeParameters,
        parameters,
        type,
        equalsGreaterThanToken,
        countingOperand(body),
      );
    }
    return visited;
  };
  return (file) => ts.visitEachChild(file, visit, context);
};

function isShortCircuit(kind: ts.SyntaxKind): boolean {
  return (
    kind === ts.SyntaxKind.AmpersandAmpersandToken ||
    kind === ts.SyntaxKind.BarBarToken ||
    kind === ts.SyntaxKind.QuestionQuestionToken
  );
}

function noteLiteral(node: ts.Node): void {
  if (ts.isStringLiteralLike(node) && node.text !== '' && node.text.length <= LONGEST_LITERAL) {
    note(Buffer.from(node.text));
  }
  if (ts.isNumericLiteral(node)) {
    const value = Number(node.text);
    if (!Number.isInteger(value) || value > 0xffff_ffff) return;
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    note(bytes);
    if (value < 0x1_0000) note(bytes.subarray(2));
    if (value < 0x100) note(bytes.subarray(3));
  }
}

function note(bytes: Buffer): void {
  literals.set(bytes.toString('latin1'), bytes);
}
