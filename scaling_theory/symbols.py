"""Every symbol once: assumptions, LaTeX, meaning and unit.

Units: [L] is that of the loss, [p] of a parameter, so a gradient has [L/p]; "seq" counts
sequences (or whatever one sample is, as long as B and sigma^2 use the same one); 1 is a pure
number. Never a bare beta: the articles' beta is `attenuation`, Adam owns beta1 and beta2.
Imports sympy, so nothing on the numeric path imports this module.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

__all__ = ["LATEX", "SYMBOLS", "SymbolEntry"]


@dataclass(frozen=True)
class SymbolEntry:
    """A symbol (or an indexed family, one value per coordinate) and what it stands for."""

    symbol: sp.Symbol | sp.IndexedBase
    latex: str
    meaning: str
    unit: str


SYMBOLS: dict[str, SymbolEntry] = {}


def _declare(name: str, latex: str, meaning: str, unit: str, **assumptions: bool) -> sp.Symbol:
    symbol = sp.Symbol(name, **(assumptions or {"positive": True}))
    SYMBOLS[name] = SymbolEntry(symbol, latex, meaning, unit)
    return symbol


def _family(name: str, latex: str, meaning: str, unit: str, **assumptions: bool) -> sp.IndexedBase:
    base = sp.IndexedBase(sp.Symbol(name, **(assumptions or {"real": True})))
    SYMBOLS[name] = SymbolEntry(base, latex, meaning, unit)
    return base


# Counting
N = _declare("N", "N", "number of coordinates (parameters)", "1", integer=True, positive=True)
i = _declare("i", "i", "a coordinate", "1", integer=True, positive=True)
j = _declare("j", "j", "another coordinate", "1", integer=True, positive=True)
n = _declare("n", "n", "number of steps, or rows of a matrix", "1", integer=True, positive=True)
n_new = _declare("n_new", "n'", "number of steps at the new batch size", "1")
m = _declare("m", "m", "columns of a matrix", "1", integer=True, positive=True)

# One value per coordinate
g_ = _family("g_", "g", "true gradient of coordinate i", "L/p")
sigma_ = _family("sigma_", r"\sigma", "noise of one sequence's gradient", "L/p", positive=True)
H_ = _family("H_", "H", "Hessian of the loss", "L/p^2")
Sigma_ = _family("Sigma_", r"\Sigma", "covariance of one sequence's gradient", "L^2/p^2")
R_ = _family("R_", "R", "correlation of the gradient noise", "1")
P_ = _family("P_", "P", "preconditioner", "u p/L")
G_ = _family("G_", "G", "gradient of a weight matrix", "L/p")
s_ = _family("s_", "s", "singular values of the gradient matrix", "L/p", positive=True)
u_ = _family("u_", "u", "update direction without noise, softsign(g_i, epsilon)", "1")
mu_ = _family("mu_", r"\mu", "mean update of coordinate i", "1")
V_ = _family("V_", "V", "variance of the update of coordinate i", "1")
C_ = _family("C_", r"\mathrm{Cov}(u)", "covariance of the update", "u^2")
A_ = _family("A_", "A", "gain of coordinate i, the derivative of mu_i by g_i", "p/L")

# One coordinate
g = _declare("g", "g", "true gradient of one coordinate", "L/p", real=True)
sigma = _declare("sigma", r"\sigma", "noise of one sequence's gradient, one coordinate", "L/p")
s = _declare("s", "s", "noise of a batch gradient, sigma / sqrt(B)", "L/p")
epsilon_new = _declare("epsilon_new", r"\epsilon'", "epsilon at the new batch size", "L/p")
epsilon = _declare("epsilon", r"\epsilon", "epsilon inside the root, sqrt(x^2 + epsilon^2)", "L/p")
x = _declare("x", "x", "batch gradient of one coordinate", "L/p", real=True)
z = _declare("z", "z", "standard normal variable", "1", real=True)
a = _declare("a", "a", "signal over noise, g / s", "1", real=True)
b = _declare("b", "b", "epsilon over noise, epsilon / s", "1")
y = _declare("y", "y", "variable of integration in (0, 1)", "1")
t = _declare("t", "t", "variable of integration", "p/L")
k = _declare("k", "k", "slope of an S-curve at 0, or a frequency", "p/L")
p = _declare("p", "p", "parameter of a transform", "1")
q = _declare("q", "q", "parameter of a generating function", "1", real=True)
u = _declare(
    "u", "u", "update of one coordinate without noise, softsign(g, epsilon)", "1", real=True
)
V = _declare("V", "V", "variance of the update of one coordinate", "1")
inside = _declare("inside", "P", "chance that a batch gradient is below epsilon in size", "1")
worst = _declare("worst", r"\max|\mathrm{error}|", "largest error of an approximation", "1")
pair_mean = _declare(
    "pair_mean", r"\mathbb{E}[\varphi_1\varphi_2]", "mean of a product of updates", "1", real=True
)
pair_covariance = _declare(
    "pair_covariance", r"\mathrm{Cov}(\varphi_1,\varphi_2)", "covariance of a pair", "1", real=True
)
mean_wave = _declare("mean_wave", r"\mathbb{E}[\cos kx]", "mean of a wave over x", "1", real=True)
mu = _declare("mu", r"\mu", "mean update of one coordinate", "1", real=True)
r = _declare("r", "r", "correlation of the noise of two coordinates", "1", real=True)

# The update and its law
eta = _declare("eta", r"\eta", "learning rate", "p/u")
eta_0 = _declare("eta_0", r"\eta_0", "a known good learning rate, at batch B_0", "p/u")
eta_star = _declare("eta_star", r"\eta^*", "optimal learning rate of one step", "p/u")
eta_max = _declare("eta_max", r"\eta_{\max}", "largest optimal learning rate over B", "p/u")
eta_stable = _declare("eta_stable", r"\eta_{\mathrm{stable}}", "largest stable rate", "p/u")
eta_min = _declare("eta_min", r"\eta_{\min}", "smallest learning rate of a schedule", "p/u")
room = _declare("room", "h_S", "largest eta times curvature that a run brings down", "1")
final_share = _declare("final_share", "f", "where a schedule ends, share of its peak", "1")
noise_of_run = _declare("noise_of_run", r"\nu_2", "noise of two steps over their descent", "1")
mean_log = _declare("mean_log", r"\bar\ell", "mean of ln|1 - h s| over a run", "1", real=True)
eta_square_mean = _declare("eta_square_mean", r"\nu/t", "mean of eta^2 over a schedule", "p^2/u^2")
eta_infinity = _declare("eta_infinity", r"\eta_\infty", "eta* at infinite batch", "p/u")
eta_peak = _declare("eta_peak", r"\eta_{\mathrm{peak}}", "eta* at the peak of a surge", "p/u")
D = _declare("D", "D", "diffusion of the SDE of SGD", "p^(1/2)")
log_slope = _declare(
    "log_slope", r"\frac{d\ln\eta^*}{d\ln B}", "logarithmic slope of eta* over B", "1", real=True
)
descent = _declare("descent", "d", "E[u]^T g, descent per unit of learning rate", "L u/p")
curvature = _declare("curvature", "C", "E[u^T H u], curvature along the update", "L u^2/p^2")
signal_preconditioned = _declare(
    "signal_preconditioned", r"g^\top P^\top HPg", "curvature along P g", "L u^2/p^2"
)
noise_preconditioned = _declare(
    "noise_preconditioned",
    r"\mathrm{Tr}(\Sigma P^\top HP)",
    "noise curvature of P g~ at B = 1",
    "L u^2/p^2",
)
noise_curvature = _declare(
    "noise_curvature", r"\mathcal{N}", "noise part of the curvature", "L u^2/p^2"
)
noise_start = _declare(
    "noise_start", r"\mathcal{N}_0", "noise curvature at vanishing batch", "L u^2/p^2"
)
trace_hr = _declare(
    "trace_hr", r"\mathrm{Tr}(HR)", "trace of Hessian times noise correlation", "L/p^2"
)
deviation_curvature = _declare(
    "deviation_curvature",
    r"\mathbb{E}[(A\circ\delta)^\top H(A\circ\delta)]",
    "mean curvature along a filtered deviation",
    "L u^2/p^2",
)
gain_product = _declare(
    "gain_product", r"\langle A_is_i\rangle\langle A_js_j\rangle", "product of two mean gains", "1"
)
drop = _declare("drop", r"\Delta\mathcal{L}", "expected loss drop at eta*", "L")
drop_detuned = _declare(
    "drop_detuned", r"\Delta\mathcal{L}(q\eta^*)", "expected loss drop at q times eta*", "L"
)
change = _declare("change", r"\mathcal{L}(\theta-\eta u)-\mathcal{L}(\theta)", "loss change", "L")
drop_max = _declare("drop_max", r"\Delta\mathcal{L}_{\max}", "loss drop at infinite batch", "L")
drop_infinity = _declare(
    "drop_infinity", r"\Delta\mathcal{L}_\infty", "exact loss drop at infinite batch", "L"
)
S = _declare("S", "S", "optimizer steps to a goal", "1")
S_min = _declare("S_min", r"S_{\min}", "steps to the goal at infinite batch", "1")
E = _declare("E", "E", "sequences to a goal, B S", "seq")
E_min = _declare("E_min", r"E_{\min}", "sequences to the goal at vanishing batch", "seq")

# Batch sizes
B = _declare("B", "B", "batch size", "seq")
B_0 = _declare("B_0", "B_0", "the batch size of a known good learning rate", "seq")
batch_ratio = _declare("batch_ratio", r"\kappa", "new batch size over the old one", "1")
B_noise = _declare(
    "B_noise", r"\mathcal{B}_{\mathrm{noise}}", "SGD noise scale Tr(Sigma H) / g^T H g", "seq"
)
B_simple = _declare(
    "B_simple", r"\mathcal{B}_{\mathrm{simple}}", "simple noise scale Tr Sigma / g^T g", "seq"
)
B_n = _declare("B_n", "B_n", "efficiency scale K T / Q: half of the largest loss drop", "seq")
B_surge = _declare(
    "B_surge", r"B_{\mathrm{Surge}}", "noise batch of the Surge paper, K T / (Q - T)", "seq"
)
B_peak = _declare("B_peak", r"B_{\mathrm{peak}}", "batch of the largest eta*", "seq")
B_epsilon = _declare("B_epsilon", r"B_\epsilon", "crossover batch (sigma / epsilon)^2", "seq")
B_N = _declare(
    "B_N", r"B_{\mathcal{N}}", "batch at which the noise curvature starts to fall", "seq"
)
micro = _declare("micro", "b", "sequences of the micro-batch behind one deviation", "seq")
K = _declare("K", "K", "saturation batch c kappa^2", "seq")
kappa2 = _declare(
    "kappa2", r"\kappa^2", "noise-to-signal ratio, sum sigma^2 / sum (g^2 + epsilon^2)", "seq"
)
c = _declare("c", "c", "shape constant: pi / 2 (erf) or 1 (mean field)", "1")
c_0 = _declare("c_0", "c_0", "constant of the substitute for erf", "1")
attenuation = _declare("attenuation", r"\beta", "(1 + K / B)^(-1/2), noise damping of u", "1")
beta_first = _declare("beta_first", r"\beta_{(1)}", "attenuation of the first group", "1")
beta_second = _declare("beta_second", r"\beta_{(2)}", "attenuation of the second group", "1")
beta_noise = _declare(
    "beta_noise", r"\beta_{\mathrm{noise}}", "attenuation at the largest eta*", "1"
)

# The scalars of the canonical law
T = _declare("T", "T", "trace of the Hessian over noisy coordinates", "L/p^2")
Q = _declare("Q", "Q", "curvature along u, u^T H u", "L u^2/p^2")
off_diagonal = _declare(
    "off_diagonal", "X", "sum over i != j of g_i g_j H_ij / (sigma_i sigma_j)", "1/p^2"
)
A_group = _family("A_group", "A", "descent of a group of coordinates", "L u/p")
T_group = _family("T_group", "T", "trace of the Hessian over a group", "L/p^2")
Q_group = _family("Q_group", "Q", "curvature between two groups", "L u^2/p^2")
curvature_ratio = _declare(
    "curvature_ratio", r"\Lambda", "Q / T at epsilon = 0 for coordinates all alike", "1"
)
A = _declare("A", "A", "descent along u, u^T g", "L u/p")

# Moving averages and weight decay
beta1 = _declare("beta1", r"\beta_1", "averaging factor of the gradient", "1")
beta2 = _declare("beta2", r"\beta_2", "averaging factor of its square", "1")
beta_new = _declare("beta_new", r"\beta'", "averaging factor at the new batch size", "1")
gram_11 = _declare(
    "gram_11", r"\mathbb{E}[\tilde G^\top\tilde G]_{11}", "Gram, diagonal", "L^2/p^2"
)
gram_12 = _declare("gram_12", r"\mathbb{E}[\tilde G^\top\tilde G]_{12}", "Gram, other", "L^2/p^2")
frobenius = _declare("frobenius", r"\|G\|_F^2", "squared Frobenius norm of the gradient", "L^2/p^2")
alignment = _declare(
    "alignment",
    r"\langle\mathbb{E}\,\mathrm{msign}(\tilde G),G\rangle/\|G\|_*",
    "alignment of Muon's mean update with the gradient",
    "1",
)
average_mean = _declare(
    "average_mean", r"\mathbb{E}[m]", "mean of Adam's average", "L/p", real=True
)
beta3 = _declare("beta3", r"\beta_3", "1 - eta lambda, averaging factor of weight decay", "1")
rms = _declare("rms", "r", "root mean square of Adam's update", "1")
weight_square = _declare("weight_square", r"\|\theta_t\|^2", "mean square of the weights", "p^2")
weight_start = _declare("weight_start", r"\|\theta_0\|^2", "mean square of the weights at 0", "p^2")
weight_rms = _declare("weight_rms", r"\|\theta_\infty\|_{\mathrm{RMS}}", "RMS of the weights", "p")
half_life = _declare("half_life", r"t_{1/2}", "half-life of an average, in tokens", "token")
tokens = _declare("tokens", r"\tau", "tokens per step", "token")
weight_plain = _declare(
    "weight_plain",
    r"\|\theta\|^2_{\beta_1=0}",
    "mean square of the weights without momentum",
    "p^2",
)
h = _declare("h", "h", "curvature of one direction", "L/p^2")
slope_ratio = _declare("slope_ratio", r"\mu'(0)/\mu'_{c=1}(0)", "exact over approximate slope", "1")
rho = _declare("rho", r"\rho", "(1 - beta1) / (1 + beta1), noise left by the average", "1")
snr = _declare("snr", r"\mathrm{SNR}", "signal-to-noise ratio of the batch gradient", "1")
decay = _declare("decay", r"\lambda", "decoupled weight decay", "1/p")

LATEX: dict[sp.Symbol, str] = {
    getattr(entry.symbol, "label", entry.symbol): entry.latex for entry in SYMBOLS.values()
}

# Functions that formulas name: the standard normal density, and the Faddeeva function
# w(z) = exp(-z^2) erfc(-i z).
phi = sp.Function("phi")
faddeeva = sp.Function("w")
