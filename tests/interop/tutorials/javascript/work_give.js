// Tutorial 2, who has the work: node work_give.js QUEUE TASK...
//
// The tasks are to survive the broker, so the queue is durable and the messages are persistent.

import { connect } from "./tutorial.js";

const [queue, ...tasks] = process.argv.slice(2);
const connection = await connect();
const channel = await connection.createChannel();
await channel.assertQueue(queue, { durable: true });
for (const task of tasks) {
  channel.sendToQueue(queue, Buffer.from(task), { persistent: true });
}
await channel.close();
await connection.close();
console.log(`${tasks.length} given`);
