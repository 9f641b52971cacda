import Hub
import WSFrame
import WSTransport

/// The page's files, which are embedded in the program: it can be moved and needs nothing beside it.
enum Page {
    static let files: [String: StaticFile] = [
        "/": html(PackageResources.index_html),
        "/icon.svg": file("image/svg+xml", PackageResources.icon_svg),
        "/style.css": file("text/css; charset=utf-8", PackageResources.style_css),
        "/app.js": script(PackageResources.app_js),
        "/composer.js": script(PackageResources.composer_js),
        "/conversation.js": script(PackageResources.conversation_js),
        "/hub.js": HubScript.file,
        "/panels.js": script(PackageResources.panels_js),
        "/remembered.js": script(PackageResources.remembered_js),
        "/rooms.js": script(PackageResources.rooms_js),
        "/status.js": script(PackageResources.status_js),
        "/view.js": script(PackageResources.view_js),
    ]

    private static let common = [
        HTTPHeader("Cache-Control", "no-cache"),
        HTTPHeader("X-Content-Type-Options", "nosniff"),
        HTTPHeader("Referrer-Policy", "no-referrer"),
    ]

    /// Only what comes from this server is loaded, and no page may frame this one.
    private static let contentPolicy = HTTPHeader(
        "Content-Security-Policy",
        "default-src 'self'; connect-src 'self' ws: wss:; base-uri 'none'; frame-ancestors 'none'")

    private static func html(_ body: [UInt8]) -> StaticFile {
        StaticFile(
            contentType: "text/html; charset=utf-8", body: body, headers: common + [contentPolicy])
    }

    private static func script(_ body: [UInt8]) -> StaticFile {
        file("text/javascript; charset=utf-8", body)
    }

    private static func file(_ contentType: StaticString, _ body: [UInt8]) -> StaticFile {
        StaticFile(contentType: contentType, body: body, headers: common)
    }
}
