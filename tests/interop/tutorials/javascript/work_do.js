// Tutorial 2, a worker: node work_do.js QUEUE
//
// The work is yours: press enter when a task is done. Only then it is acknowledged, so that a task
// whose worker is killed goes to another one; and a worker has only one at a time.

import { createInterface } from "node:readline";

import { connect, waitUntilStopped } from "./tutorial.js";

const [queue] = process.argv.slice(2);
const keyboard = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const connection = await connect();
const channel = await connection.createChannel();
await channel.assertQueue(queue, { durable: true });
await channel.prefetch(1);
await channel.consume(queue, async (message) => {
  console.log(`task: ${message.content}`);
  await keyboard.next();
  console.log(`done: ${message.content}`);
  channel.ack(message);
});
waitUntilStopped(connection);
