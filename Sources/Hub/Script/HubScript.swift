import WSFrame
public import WSTransport

/// The client for browsers: a module without dependencies, `hub.js` beside this file.
///
/// ```swift
/// configuration.files["/hub.js"] = HubScript.file
/// ```
///
/// A page imports `HubClient` from it, which speaks ``JSONProtocol`` and comes back by itself, by a
/// token where the hub has ``HubConfiguration/resume``.
public enum HubScript {
    /// The module, as a file to serve.
    public static let file = StaticFile(
        contentType: "text/javascript; charset=utf-8", body: PackageResources.hub_js,
        headers: [
            HTTPHeader("Cache-Control", "no-cache"),
            HTTPHeader("X-Content-Type-Options", "nosniff"),
        ])
}
