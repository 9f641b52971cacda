import WSFrame
import WSTransport

/// The dashboard's files, which are embedded in the program.
enum DashboardPage {
    static let files: [String: StaticFile] = [
        Dashboard.path: file(
            "text/html; charset=utf-8", PackageResources.dashboard_html, [contentPolicy]),
        path("dashboard.css"): file("text/css; charset=utf-8", PackageResources.dashboard_css),
        path("icon.svg"): file("image/svg+xml", PackageResources.icon_svg),
        path("dashboard.js"): script(PackageResources.dashboard_js),
        path("chart.js"): script(PackageResources.chart_js),
        path("format.js"): script(PackageResources.format_js),
        path("history.js"): script(PackageResources.history_js),
        path("server.js"): script(PackageResources.server_js),
        path("tables.js"): script(PackageResources.tables_js),
        path("watch.js"): script(PackageResources.watch_js),
    ]

    /// Only what comes from this server is loaded and asked, and no page may frame this one.
    private static let contentPolicy = HTTPHeader(
        "Content-Security-Policy",
        """
        default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
        connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'
        """)

    private static func path(_ name: String) -> String { "\(Dashboard.path)/\(name)" }

    private static func script(_ body: [UInt8]) -> StaticFile {
        file("text/javascript; charset=utf-8", body)
    }

    private static func file(
        _ contentType: StaticString, _ body: [UInt8], _ headers: [HTTPHeader] = []
    ) -> StaticFile {
        StaticFile(
            contentType: contentType, body: body,
            headers: headers + [
                HTTPHeader("Cache-Control", "no-cache"),
                HTTPHeader("X-Content-Type-Options", "nosniff"),
                HTTPHeader("Referrer-Policy", "no-referrer"),
            ])
    }
}
