package demo;

import io.sentry.Breadcrumb;
import io.sentry.Sentry;
import io.sentry.protocol.User;
import java.util.Map;

/** Raises two different exceptions, the first twice, each with a cause, breadcrumbs, tags and a user. */
public final class Shop {
  static String regionOf(Map<String, String> profile) {
    return profile.get("region").trim();
  }

  static String taxFor(int cart) {
    try {
      return regionOf(Map.of("cart", "" + cart));
    } catch (NullPointerException cause) {
      throw new IllegalStateException("cart " + cart + " has no tax region", cause);
    }
  }

  static int share(int profit, int revenue) {
    return profit / revenue;
  }

  static void capture(Runnable call) {
    Sentry.addBreadcrumb(new Breadcrumb("priced the cart"));
    try {
      call.run();
    } catch (RuntimeException err) {
      Sentry.captureException(err);
    }
  }

  public static void main(String[] args) {
    Sentry.init(options -> {
      options.setDsn(System.getenv("DSN"));
      options.setRelease("shop@1.2.3");
      options.setEnvironment("test");
      options.addInAppInclude("demo");
      options.setEnableDeduplication(false);
    });
    User user = new User();
    user.setId("52107");
    Sentry.setUser(user);
    Sentry.setTag("region", "nz");
    capture(() -> taxFor(88213));
    capture(() -> taxFor(88214));
    capture(() -> share(10, 0));
    Sentry.close();
  }
}
