// Tutorial 5, who listens by pattern: node topic_follow.js EXCHANGE PATTERN...
//
// In a pattern * is one word, # any number of them.

import { connect, waitUntilStopped } from "./tutorial.js";

const [exchange, ...keys] = process.argv.slice(2);
const connection = await connect();
const channel = await connection.createChannel();
await channel.assertExchange(exchange, "topic", { durable: false });
const { queue } = await channel.assertQueue("", { exclusive: true });
for (const key of keys) {
  await channel.bindQueue(queue, exchange, key);
}
await channel.consume(
  queue,
  (message) => console.log(`${message.fields.routingKey}: ${message.content}`),
  { noAck: true },
);
waitUntilStopped(connection);
