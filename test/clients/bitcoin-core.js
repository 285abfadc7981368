// Drives a node by the npm package bitcoin-core, as its users do: methods by
// name, named parameters, batches, errors, and the REST interface.
// Usage: node bitcoin-core.js URL USER PASSWORD ADDRESS
'use strict';

const assert = require('node:assert');
const Client = require('bitcoin-core');

const [host, username, password, address] = process.argv.slice(2);
const quiet = { debug() {}, info() {}, warn() {}, error() {}, trace() {}, fatal() {} };
const options = { host, username, password, logger: quiet };

async function rpc(client) {
  const made = await client.generateToAddress(101, address);
  assert.strictEqual(made.length, 101);
  assert.strictEqual(await client.getBlockCount(), 101);
  assert.strictEqual(await client.getBestBlockHash(), made[100]);
  const block = await client.getBlock(made[0], 2);
  assert.strictEqual(block.height, 1);
  assert.strictEqual(block.tx[0].vout[0].value, 50);
  assert.strictEqual((await client.getBlockchainInfo()).chain, 'regtest');
  assert.match((await client.getNetworkInfo()).subversion, /^\/Satoshi:28\.1\.0/);
  assert.strictEqual((await client.getMempoolInfo()).size, 0);
  assert.match(await client.help('getblock'), /^getblock "?blockhash/);

  const batch = await client.command([
    { method: 'getblockhash', parameters: [1] },
    { method: 'getblockhash', parameters: [102] },
    { method: 'validateaddress', parameters: [address] },
  ]);
  assert.strictEqual(batch[0], made[0]);
  assert.strictEqual(batch[1].code, -8);
  assert.strictEqual(batch[2].isvalid, true);

  await assert.rejects(client.getBlockHash(102), { code: -8, message: 'Block height out of range' });
  await assert.rejects(client.command('nonsense'), { code: -32601 });
  await assert.rejects(client.getBlock('00'), { code: -8 });
  const stranger = new Client({ ...options, password: 'wrong' });
  await assert.rejects(stranger.getBlockCount(), { code: 401 });
  return block;
}

async function pay(client, coinbase) {
  const raw = await client.createRawTransaction([{ txid: coinbase, vout: 0 }], [{ [address]: 49.9999 }]);
  // The address is of the script OP_TRUE, hashed: its witness is one item, 51.
  const signed = raw.slice(0, 8) + '0001' + raw.slice(8, -8) + '010151' + raw.slice(-8);
  assert.strictEqual((await client.testMempoolAccept([signed]))[0].allowed, true);
  const txid = await client.sendRawTransaction(signed);
  const entry = await client.getMempoolEntry(txid);
  assert.strictEqual(entry.fees.base, 0.0001);
  assert.strictEqual(entry.fees.modified, 0.0001);
  assert.strictEqual(entry.unbroadcast, true); // there is no peer to ask for it
  const info = await client.getMempoolInfo();
  assert.deepStrictEqual(
    [info.loaded, info.size, info.total_fee, info.unbroadcastcount, info.fullrbf],
    [true, 1, 0.0001, 1, true],
  );
  assert.strictEqual(await client.command('prioritisetransaction', txid, 0, 5000), true);
  const raised = (await client.getMempoolEntry(txid)).fees;
  assert.deepStrictEqual([raised.base, raised.modified, raised.ancestor], [0.0001, 0.00015, 0.00015]);
  assert.deepStrictEqual(await client.getRawMempool(), [txid]);
  return txid;
}

async function rest(client, block, txid) {
  assert.strictEqual((await client.getBlockchainInformation()).blocks, 101);
  assert.strictEqual((await client.getMemoryPoolInformation()).size, 1);
  assert.deepStrictEqual(Object.keys(await client.getMemoryPoolContent()), [txid]);
  assert.strictEqual((await client.getBlockByHash(block.hash)).tx[0].txid, block.tx[0].txid);
  assert.strictEqual((await client.getBlockByHash(block.hash, { summary: true })).tx[0], block.tx[0].txid);
  const raw = await client.getBlockByHash(block.hash, { extension: 'bin' });
  assert.ok(Buffer.isBuffer(raw));
  assert.strictEqual(raw.length, block.size);
  assert.strictEqual((await client.getBlockByHash(block.hash, { extension: 'hex' })).trim(), raw.toString('hex'));
  assert.strictEqual((await client.getBlockHeadersByHash(block.hash, 5)).length, 5);
  assert.strictEqual((await client.getTransactionByHash(block.tx[0].txid)).txid, block.tx[0].txid);
  const coins = await client.getUnspentTransactionOutputs([{ id: block.tx[0].txid, index: 0 }, { id: txid, index: 0 }]);
  assert.strictEqual(coins.bitmap, '01');
  assert.strictEqual(coins.utxos[0].value, 49.9999);
  await assert.rejects(client.getBlockByHash('zz'), { code: 400 });
}

async function main() {
  const client = new Client(options);
  const block = await rpc(client);
  const txid = await pay(client, block.tx[0].txid);
  await rest(client, block, txid);
  // With the version given the package names parameters.
  const versioned = new Client({ ...options, version: '0.21.0' });
  assert.strictEqual((await versioned.getBlockHeader({ blockhash: block.hash, verbose: true })).height, 1);
  console.log('all well');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
