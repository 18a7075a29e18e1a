package driver;

import io.grpc.CallOptions;
import io.grpc.ChannelCredentials;
import io.grpc.ClientCall;
import io.grpc.Codec;
import io.grpc.CompressorRegistry;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.Status;
import io.grpc.TlsChannelCredentials;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.okhttp.OkHttpChannelBuilder;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.zip.DeflaterOutputStream;
import java.util.zip.InflaterInputStream;

/** Makes calls with grpc-java as it is told to; see drivers.py for what it reads and prints. */
public final class Driver {
  private record Channel(ManagedChannel channel, String encoding) {}

  /** Messages are bytes. */
  private static final MethodDescriptor.Marshaller<byte[]> RAW =
      new MethodDescriptor.Marshaller<>() {
        @Override
        public InputStream stream(byte[] value) {
          return new ByteArrayInputStream(value);
        }

        @Override
        public byte[] parse(InputStream stream) {
          try {
            return stream.readAllBytes();
          } catch (IOException e) {
            throw new IllegalStateException(e);
          }
        }
      };

  /** grpc-java brings gzip alone. */
  private static final class Deflate implements Codec {
    @Override
    public String getMessageEncoding() {
      return "deflate";
    }

    @Override
    public OutputStream compress(OutputStream os) {
      return new DeflaterOutputStream(os);
    }

    @Override
    public InputStream decompress(InputStream is) {
      return new InflaterInputStream(is);
    }
  }

  private static final Map<String, ClientCall<byte[], byte[]>> calls = new ConcurrentHashMap<>();

  private static synchronized void print(String... words) {
    System.out.println(String.join(" ", words));
    System.out.flush();
  }

  private static String encoded(byte[] data) {
    return data.length == 0 ? "-" : Base64.getEncoder().encodeToString(data);
  }

  private static byte[] decoded(String text) {
    return text.equals("-") ? new byte[0] : Base64.getDecoder().decode(text);
  }

  private static Metadata metadataOf(String text) {
    var metadata = new Metadata();
    for (String field : text.equals("-") ? new String[0] : text.split(",")) {
      String[] parts = field.split(":");
      byte[] value = decoded(parts[1]);
      if (parts[0].endsWith("-bin")) {
        metadata.put(Metadata.Key.of(parts[0], Metadata.BINARY_BYTE_MARSHALLER), value);
      } else {
        var key = Metadata.Key.of(parts[0], Metadata.ASCII_STRING_MARSHALLER);
        metadata.put(key, new String(value, StandardCharsets.US_ASCII));
      }
    }
    return metadata;
  }

  private static String printed(Metadata metadata) {
    List<String> parts = new ArrayList<>();
    for (String name : metadata.keys()) {
      if (name.endsWith("-bin")) {
        var key = Metadata.Key.of(name, Metadata.BINARY_BYTE_MARSHALLER);
        metadata.getAll(key).forEach(value -> parts.add(name + ":" + encoded(value)));
      } else {
        var key = Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER);
        metadata
            .getAll(key)
            .forEach(
                value -> parts.add(name + ":" + encoded(value.getBytes(StandardCharsets.US_ASCII))));
      }
    }
    return parts.isEmpty() ? "-" : String.join(",", parts);
  }

  private static Channel open(
      boolean okhttp, String address, String authority, long keepaliveMs, String encoding)
      throws IOException {
    ChannelCredentials credentials = InsecureChannelCredentials.create();
    if (!authority.equals("-")) {
      var roots = new ByteArrayInputStream(decoded(authority));
      credentials = TlsChannelCredentials.newBuilder().trustManager(roots).build();
    }
    ManagedChannelBuilder<?> builder =
        okhttp
            ? OkHttpChannelBuilder.forTarget(address, credentials)
            : NettyChannelBuilder.forTarget(address, credentials);
    if (keepaliveMs > 0) {
      builder.keepAliveTime(keepaliveMs, TimeUnit.MILLISECONDS).keepAliveWithoutCalls(true);
    }
    return new Channel(builder.build(), encoding);
  }

  private static void call(String[] words, Channel channel) {
    String id = words[1];
    boolean unary = words[3].equals("unary");
    var method =
        MethodDescriptor.<byte[], byte[]>newBuilder(RAW, RAW)
            .setFullMethodName(words[4].substring(1))
            .setType(unary ? MethodType.UNARY : MethodType.SERVER_STREAMING)
            .build();
    var options = CallOptions.DEFAULT;
    if (!words[5].equals("0")) {
      options = options.withDeadlineAfter(Long.parseLong(words[5]), TimeUnit.MILLISECONDS);
    }
    if (!channel.encoding.equals("-")) {
      options = options.withCompression(channel.encoding);
    }
    ClientCall<byte[], byte[]> call = channel.channel.newCall(method, options);
    calls.put(id, call);
    call.start(
        new ClientCall.Listener<>() {
          @Override
          public void onMessage(byte[] message) {
            print("message", id, encoded(message));
            call.request(1);
          }

          @Override
          public void onClose(Status status, Metadata trailers) {
            calls.remove(id);
            String text = status.getDescription() == null ? "" : status.getDescription();
            print(
                "end",
                id,
                Integer.toString(status.getCode().value()),
                encoded(text.getBytes(StandardCharsets.UTF_8)),
                printed(trailers));
          }
        },
        metadataOf(words[6]));
    if (!words[3].equals("stalled")) {
      call.request(unary ? 2 : 1);
    }
    call.setMessageCompression(true);
    call.sendMessage(decoded(words[7]));
    call.halfClose();
  }

  public static void main(String[] args) throws IOException {
    boolean okhttp = args.length > 0 && args[0].equals("okhttp");
    CompressorRegistry.getDefaultInstance().register(new Deflate());
    Map<String, Channel> channels = new HashMap<>();
    var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
    for (String line = input.readLine(); line != null; line = input.readLine()) {
      String[] words = line.split(" ");
      switch (words[0]) {
        case "open" ->
            channels.put(
                words[1], open(okhttp, words[2], words[3], Long.parseLong(words[4]), words[5]));
        case "close" -> channels.remove(words[1]).channel.shutdown();
        case "call" -> call(words, channels.get(words[2]));
        case "cancel" -> {
          var call = calls.get(words[1]);
          if (call != null) {
            call.cancel("cancelled here", null);
          }
        }
        case "read" -> calls.get(words[1]).request(1);
        default -> throw new IllegalArgumentException(words[0]);
      }
    }
    System.exit(0);
  }
}
