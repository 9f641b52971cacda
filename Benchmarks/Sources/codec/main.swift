// How fast the codec's inner loops are, beside a byte loop and the standard library.
//
// Prints a line per measurement, tab-separated: what, by whom, size, figure, unit.

let arguments = CommandLine.arguments
guard arguments.count == 3, arguments[1] == "--milliseconds", let each = Int(arguments[2]), each > 0
else {
    preconditionFailure("usage: codec --milliseconds EACH")
}
let bench = Bench(window: Double(each) / 1_000)
measureMasking(bench)
measureValidation(bench)
measureFrames(bench)
