package example;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import grpcchat.v1.Cursor;
import grpcchat.v1.Event;
import grpcchat.v1.MessageServiceGrpc;
import grpcchat.v1.OutgoingMessage;
import grpcchat.v1.SendMessagesRequest;
import grpcchat.v1.SubscribeRequest;
import grpcchat.v1.SubscribeResponse;
import grpcchat.v1.SubscribeServiceGrpc;
import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.MetadataUtils;
import java.util.Iterator;
import java.util.UUID;

/** Sends a message to a room and prints what is said there: ADDRESS TOKEN ROOM TEXT. */
public final class Client {
  private final Channel channel;

  private Client(Channel channel, String token) {
    Metadata metadata = new Metadata();
    metadata.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + token);
    this.channel = ClientInterceptors.intercept(channel, MetadataUtils.newAttachHeadersInterceptor(metadata));
  }

  public static void main(String[] arguments) {
    if (arguments.length != 4) {
      System.err.println("usage: ADDRESS TOKEN ROOM TEXT");
      System.exit(2);
    }
    // With TLS: TlsChannelCredentials instead.
    ManagedChannel channel = Grpc.newChannelBuilder(arguments[0], InsecureChannelCredentials.create()).build();
    try {
      new Client(channel, arguments[1]).run(arguments[2], arguments[3]);
    } catch (StatusRuntimeException error) {
      System.err.println(reason(error) + ": " + error.getStatus().getDescription());
      System.exit(1);
    } finally {
      channel.shutdownNow();
    }
  }

  private void run(String room, String text) {
    // A stream may live for days, so it has no deadline. After it ends, subscribe again from the last cursor.
    SubscribeRequest request = SubscribeRequest.newBuilder()
        .addCursors(Cursor.newBuilder().setRoomId(room))
        .setIncludeOwn(true)
        .build();
    Iterator<SubscribeResponse> responses = SubscribeServiceGrpc.newBlockingStub(channel).subscribe(request);
    while (responses.hasNext()) {
      SubscribeResponse response = responses.next();
      for (Event event : response.getEventsList()) {
        // Other kinds of events have no message.
        if (event.hasMessage()) {
          String said = event.getMessage().getText();
          System.out.println(event.getSeq() + " " + event.getUserId() + " " + said);
          if (said.equals(text)) {
            return;
          }
        }
      }
      // Now everything said before has been read.
      if (response.hasCaughtUp()) {
        send(room, text);
      }
    }
  }

  private void send(String room, String text) {
    OutgoingMessage message = OutgoingMessage.newBuilder()
        .setRoomId(room)
        // Sent again with the same id, a message is stored once.
        .setClientMessageId(UUID.randomUUID().toString())
        .setText(text)
        .build();
    MessageServiceGrpc.newBlockingStub(channel)
        .sendMessages(SendMessagesRequest.newBuilder().addMessages(message).build());
  }

  /** The server's errors carry a stable reason; see docs/reference/api.md. */
  private static String reason(StatusRuntimeException error) {
    com.google.rpc.Status status = StatusProto.fromThrowable(error);
    if (status != null) {
      for (Any detail : status.getDetailsList()) {
        if (detail.is(ErrorInfo.class)) {
          try {
            return detail.unpack(ErrorInfo.class).getReason();
          } catch (InvalidProtocolBufferException malformed) {
            break;
          }
        }
      }
    }
    return error.getStatus().getCode().toString();
  }
}
