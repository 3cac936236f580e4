<?php
// An ordinary session of php-amqplib; test_other_clients.py runs it: amqplib_session.php PORT QUEUE
require '/usr/share/php/PhpAmqpLib/autoload.php';

use PhpAmqpLib\Connection\AMQPStreamConnection;
use PhpAmqpLib\Exception\AMQPProtocolChannelException;
use PhpAmqpLib\Message\AMQPMessage;
use PhpAmqpLib\Wire\AMQPTable;

function check(string $what, bool $condition): void
{
    if (!$condition) {
        fwrite(STDERR, "failed: $what\n");
        exit(1);
    }
}

[, $port, $name] = $argv;
$connection = new AMQPStreamConnection('127.0.0.1', (int) $port, 'guest', 'guest', '/');
$channel = $connection->channel();
$arguments = new AMQPTable(['x-message-ttl' => 600000]);
$channel->queue_declare($name, false, true, false, false, false, $arguments);
$channel->confirm_select();
$acked = 0;
$returned = [];
$channel->set_ack_handler(function () use (&$acked) { $acked++; });
$channel->set_return_listener(function ($code, $text, $exchange, $key, $message) use (&$returned) {
    $returned[] = [$code, $message->body];
});
for ($n = 0; $n < 100; $n++) {
    $channel->basic_publish(new AMQPMessage("message $n", [
        'delivery_mode' => AMQPMessage::DELIVERY_MODE_PERSISTENT, 'message_id' => (string) $n,
        'application_headers' => new AMQPTable(['n' => $n, 'deep' => ['a' => [1, true, 'ü']]]),
    ]), '', $name);
}
$channel->basic_publish(new AMQPMessage('lost'), '', "$name.nowhere", true);
$channel->wait_for_pending_acks_returns(10);
check("confirms: $acked", $acked === 101);
check('return', $returned === [[312, 'lost']]);

$channel->basic_qos(0, 5, false);
$seen = [];
$channel->basic_consume($name, 'php', false, false, false, false, function ($message) use (&$seen) {
    if ($message->body === 'message 7' && !$message->isRedelivered()) {
        $message->nack(true);
        return;
    }
    $headers = $message->get('application_headers')->getNativeData();
    check('headers', $headers['deep'] === ['a' => [1, true, 'ü']]);
    $seen[$headers['n']] = $message->body;
    $message->ack();
});
while (count($seen) < 100) {
    $channel->wait(null, false, 10);
}
ksort($seen);
check('bodies', array_values($seen) === array_map(fn ($n) => "message $n", range(0, 99)));
$channel->basic_cancel('php');
check('empty', $channel->basic_get($name) === null);

try {
    $connection->channel()->queue_declare("$name.missing", true);
    check('404', false);
} catch (AMQPProtocolChannelException $error) {
    check('404 code', $error->amqp_reply_code === 404);
}

$channel->queue_delete($name);
$connection->close();
echo "ok\n";
