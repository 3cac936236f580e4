// Tutorial 1, the receiver: node hello_receive.js QUEUE

import { connect, waitUntilStopped } from "./tutorial.js";

const [queue] = process.argv.slice(2);
const connection = await connect();
const channel = await connection.createChannel();
await channel.assertQueue(queue, { durable: false });
await channel.consume(queue, (message) => console.log(message.content.toString()), {
  noAck: true,
});
waitUntilStopped(connection);
