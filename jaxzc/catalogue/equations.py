"""Each proxy's definition as an equation in LaTeX, which the documentation shows beside the card's prose."""

from typing import NamedTuple


class Equation(NamedTuple):
    """A proxy's definition in LaTeX, and the keys in `papers.PAPERS` of where it is from; none where it is plain arithmetic.

    w are the weights of layer l, g is the gradient of the loss L of one batch, f the network, x_n an example, z_l and a_l are outputs of
    layers, and B is the batch size.
    """

    latex: str
    papers: tuple[str, ...]


_GATE = r"t_1 \le |g_w| < t_2"
_NTK = (
    r"\Theta_{ij} = \langle \frac{\partial\, \mathbf{1}^\top f(x_i)}{\partial w}, "
    r"\frac{\partial\, \mathbf{1}^\top f(x_j)}{\partial w} \rangle"
)
_HAMMING = r"K_{ij} = \#\{u : c_u(x_i) = c_u(x_j)\}"
_SIGNS = r"\sum_w \Big|\sum_{n=1}^{B} \operatorname{sign} \frac{\partial L_n}{\partial w}\Big|"
_MAP_ENTROPY = r"s_l = -\sum_i p_i \log(p_i + 10^{-8}), \quad p = \frac{\lambda(\operatorname{Cov}_l)}{\sum \lambda(\operatorname{Cov}_l)}"
_SNR = r"\mathrm{SNR}_l = \frac{\sum_{w \in l} s_w}{\operatorname{std}_{w \in l} s_w}"
_FLOW = r"R = \mathbf{1}^\top f\left(\mathbf{1}; |\theta|\right)"

EQUATIONS = {
    "grad_norm": Equation(r"\sum_l \left\| \frac{\partial L}{\partial w_l} \right\|_2", ("zero-cost",)),
    "snip": Equation(r"\sum_w \Big| w \, \frac{\partial L}{\partial w} \Big|", ("snip", "zero-cost")),
    "grasp": Equation(r"-\sum_w w \, (H g)_w, \quad H = \frac{\partial^2 L}{\partial w^2}", ("grasp", "zero-cost")),
    "fisher": Equation(
        r"\sum_l \sum_c \frac{\mathrm{fan\_in}_l}{2B} \sum_{n=1}^{B} \left( \sum_{p} a_{ncp} \frac{\partial L}{\partial a_{ncp}} \right)^2",
        ("fisher", "blockswap", "zero-cost"),
    ),
    "jacob_cov": Equation(
        r"-\sum_{i=1}^{B} \left( \log(v_i + \varepsilon) + \frac{1}{v_i + \varepsilon} \right), \quad "
        r"v = \lambda\left(\operatorname{corr} \frac{\partial\, \mathbf{1}^\top f(x)}{\partial x}\right)",
        ("naswot", "zero-cost"),
    ),
    "plain": Equation(r"\sum_w w \, \frac{\partial L}{\partial w}", ("zero-cost",)),
    "synflow": Equation(rf"\sum_w \Big| w \, \frac{{\partial R}}{{\partial w}} \Big|, \quad {_FLOW}", ("synflow", "zero-cost")),
    "synflow_bn": Equation(
        rf"\sum_w \Big| w \, \frac{{\partial R}}{{\partial w}} \Big|, \quad {_FLOW} \text{{ with normalisation}}", ("zero-cost",)
    ),
    "l2_norm": Equation(r"\sum_l \| w_l \|_2", ("zero-cost",)),
    "zico": Equation(r"\sum_l \log \sum_{w \in l} \frac{\mathbb{E}_i \, |g_w(X_i)|}{\sqrt{\operatorname{Var}_i \, g_w(X_i)}}", ("zico",)),
    "sweetimator": Equation(rf"\#\{{ w : {_GATE} \}}", ("sweet",)),
    "sweet_snip": Equation(rf"\sum_{{{_GATE}}} |w \, g_w|", ("sweet", "snip")),
    "sweet_ntk": Equation(rf"\sum_{{{_GATE}}} g_w^2", ("sweet",)),
    "sweet_zico": Equation(
        r"\sum_l \log \sum_{w \in l,\; t_1 \le |g_w(X_1)| < t_2} "
        r"\frac{\mathbb{E}_i \, |g_w(X_i)|}{\sqrt{\operatorname{Var}_i \, g_w(X_i)}}",
        ("sweet", "zico"),
    ),
    "sweet_gradsign": Equation(
        r"\sum_{t_1 \le g_w < t_2} \Big|\sum_{n=1}^{B} \operatorname{sign} \frac{\partial L_n}{\partial w}\Big|", ("sweet", "gradsign")
    ),
    "tcet_snip": Equation(
        rf"\sum_l \log(\mathrm{{SNR}}_l) \, \mathrm{{LNWOT}}_l, \quad {_SNR}, \quad s_w = \Big| w \frac{{\partial L}}{{\partial w}} \Big|",
        ("tcet",),
    ),
    "tcet_synflow": Equation(
        rf"\sum_l \log(\mathrm{{SNR}}_l) \, \mathrm{{LNWOT}}_l, \quad {_SNR}, \quad s_w = \Big| w \frac{{\partial R}}{{\partial w}} \Big|",
        ("tcet", "synflow"),
    ),
    "snr_snip": Equation(rf"\sum_l \mathrm{{SNR}}_l, \quad {_SNR}, \quad s_w = \Big| w \frac{{\partial L}}{{\partial w}} \Big|", ("tcet",)),
    "snr_synflow": Equation(
        rf"\sum_l \mathrm{{SNR}}_l, \quad {_SNR}, \quad s_w = \Big| w \frac{{\partial R}}{{\partial w}} \Big|", ("tcet", "synflow")
    ),
    "lnwot": Equation(r"\sum_l \log \det K_l, \quad K_l = X_l X_l^\top + (1 - X_l)(1 - X_l)^\top, \quad X_l = [z_l > 0]", ("tcet",)),
    "naswot": Equation(rf"\log |\det K|, \quad {_HAMMING}", ("naswot",)),
    "params": Equation(r"\sum_{\theta} 1", ()),
    "flops": Equation(r"\sum_l \mathrm{outputs}_l \cdot \mathrm{fan\_in}_l", ()),
    "layers": Equation(r"\sum_l 1", ("vkdnw",)),
    "attention_confidence": Equation(
        r"\sum_{l \in \text{queries, keys, values}} \frac{1}{B \, c_l} \sum_{n=1}^{B} \sum_{c} \max_t z_l(x_n)_{t c}", ("recurrent",)
    ),
    "head_importance": Equation(
        r"\sum_{w \in \text{queries, keys, values}} \Big| w \frac{\partial L}{\partial w} \Big|", ("recurrent", "snip")
    ),
    "softmax_confidence": Equation(
        r"\sum_{l \in \text{attentions}} \frac{1}{B \, t_l^2} \sum_{n=1}^{B} \sum_{t, u} \max_h A_l(x_n)_{h t u}, \quad "
        r"A_l = \mathrm{softmax}\left( Q K^\top / \sqrt{d} \right)",
        ("recurrent",),
    ),
    "synaptic_diversity": Equation(
        r"\sum_{l \in \text{attention, transforms, windows}} \left\| W_l \right\|_* "
        r"\left\| \frac{\partial L}{\partial W_l} \right\|_*",
        ("tf_tas", "recurrent"),
    ),
    "synaptic_saliency": Equation(
        r"\sum_{w \in \text{feed-forward layers}} \Big| w \frac{\partial L}{\partial w} \Big|", ("tf_tas", "recurrent", "snip")
    ),
    "az_expressivity": Equation(rf"\sum_l s_l, \quad {_MAP_ENTROPY}", ("az_nas",)),
    "az_progressivity": Equation(rf"\min_l \, (s_l - s_{{l-1}}), \quad {_MAP_ENTROPY}", ("az_nas",)),
    "az_trainability": Equation(
        r"\frac{1}{\#l} \sum_l \left( -\sigma_l - \frac{1}{\sigma_l + 10^{-6}} + 2 \right), \quad "
        r"\sigma_l = \sigma_{\max}\left( \frac{(J_l^\top g)^\top g}{\mathrm{positions}} \right), \quad g \in \{-1, 1\}",
        ("az_nas",),
    ),
    "dextr": Equation(
        r"\frac{S K}{S + K}, \quad S = \log\Big( 1 + \sum_l \frac{s_{\min}(z_l(x_1))}{s_{\max}(z_l(x_1))} \Big), \quad "
        r"K = \log\left( 1 + \frac{\sqrt{|\dot f|^2 |\ddot f|^2 - (\dot f \cdot \ddot f)^2}}{|\dot f|^3} \right), \quad "
        r"f(t) = f(u_0 \cos t + u_1 \sin t)",
        ("dextr",),
    ),
    "dss": Equation(
        r"\sum_{l \in \text{attention}} \left\| |W_l| \right\|_* \left\| \frac{\partial R}{\partial |W_l|} \right\|_* + "
        rf"\sum_{{w \in \text{{other linear layers}}}} \Big| w \, \frac{{\partial R}}{{\partial w}} \Big|, \quad {_FLOW}",
        ("tf_tas",),
    ),
    "epe_nas": Equation(
        r"\sum_c \Big| \sum_{i, j \in c} \log( |\rho_{ij}| + \varepsilon ) \Big|, \quad "
        r"\rho = \operatorname{corr} \frac{\partial\, \mathbf{1}^\top f(x)}{\partial x}",
        ("epe_nas",),
    ),
    "gradsign": Equation(_SIGNS, ("gradsign",)),
    "grad_angle": Equation(r"\frac{1}{B} \sum_n \cos(g_n, m), \quad m = \frac{1}{B} \sum_n \frac{g_n}{\| g_n \|}", ("sweet",)),
    "grad_conflict": Equation(_SIGNS, ("gradsign", "sweet")),
    "intrain": Equation(
        r"\frac{\gamma (1 + o)}{\log(L + 1)}, \quad \gamma = \sum_l \log \frac{(\operatorname{tr} C_l)^2}{\operatorname{tr} C_l^2}, \quad "
        r"C_l = \operatorname{cov}(\text{channels of } \phi(z_l)), \quad "
        r"o = \sum_l \min\Big(1, \frac{\operatorname{std}(g_l)}{\max|g_l|}\Big)",
        ("intrain",),
    ),
    "jacob_cosine": Equation(
        r"1 - \frac{1}{2 B (B - 1)} \sum_{i \ne j} |\cos(J_i, J_j)|^{1/20}, \quad "
        r"J_i = \frac{\partial\, \mathbf{1}^\top f(x_i)}{\partial x_i}",
        ("recurrent",),
    ),
    "meco": Equation(r"\sum_l \lambda_{\min}(P_l), \quad P_l = \operatorname{corr}(\text{channels of } z_l)", ("meco",)),
    "meco_opt": Equation(
        r"\sum_l \frac{c_l}{n} \lambda_{\min}(P_l), \quad P_l = \operatorname{corr}(n \text{ random channels of } z_l)", ("meco",)
    ),
    "naswot_gelu": Equation(
        r"\log |\det K|, \quad K_{ij} = \#\{u : [z_u(x_i) > 0] = [z_u(x_j) > 0]\}, \quad z_u \text{ the inputs of GELUs}",
        ("naswot", "tf_tas", "auto_prox"),
    ),
    "nwot_outputs": Equation(
        r"\log \Big| \det \sum_l K_l \Big|, \quad K_l = X_l X_l^\top + (1 - X_l)(1 - X_l)^\top, \quad X_l = [z_l > 0]", ("tcet", "naswot")
    ),
    "near": Equation(
        r"\sum_l \operatorname{erank}(Z_l) + \operatorname{erank}(\phi(Z_l)), \quad "
        r"\operatorname{erank}(A) = \exp\Big( -\sum_i p_i \log p_i \Big), \quad p_i = \frac{s_i(A)}{\sum_j s_j(A)}",
        ("near",),
    ),
    "jacob_trace": Equation(
        r"\frac{1}{B} \sum_n \left\| \frac{\partial\, \mathbf{1}^\top f(x_n)}{\partial x_n} \right\|^2", ("sensitivity",)
    ),
    "knas": Equation(rf"\frac{{1}}{{n^2}} \sum_{{ij}} \Theta_{{ij}}, \quad {_NTK}", ("knas",)),
    "nasi": Equation(r"\left\| \frac{\partial L}{\partial w} \right\|^2", ("nasi",)),
    "ntk_trace": Equation(rf"\sum_i \Theta_{{ii}}, \quad {_NTK}", ("nasi",)),
    "activation_distance": Equation(r"\log |\det K|, \quad K_{ij} = \#\{u : [a_u(x_i) > 0] = [a_u(x_j) > 0]\}", ("recurrent", "naswot")),
    "hidden_covariance": Equation(
        r"-\sum_i \left( \log(v_i + \varepsilon) + \frac{1}{v_i + \varepsilon} \right), \quad "
        r"v = \lambda\left(\operatorname{corr}(\text{units of } h_l)\right)",
        ("recurrent",),
    ),
    "hidden_jacob_cosine": Equation(
        r"1 - \frac{1}{2 B (B - 1)} \sum_{i \ne j} |\cos(J_i, J_j)|^{1/20}, \quad "
        r"J_i = \frac{\partial\, \mathbf{1}^\top h_{\mathrm{top}}(x_i)}{\partial x_i}",
        ("recurrent",),
    ),
    "hidden_jacob_cov": Equation(
        r"-\sum_{i=1}^{B} \left( \log(v_i + \varepsilon) + \frac{1}{v_i + \varepsilon} \right), \quad "
        r"v = \lambda\left(\operatorname{corr} \frac{\partial\, \mathbf{1}^\top h_{\mathrm{top}}(x)}{\partial x}\right)",
        ("recurrent", "naswot"),
    ),
    "swap": Equation(r"\mathbb{E}_{\theta} \, \#\left\{ \left( [z_u(x_1) > 0], \dots, [z_u(x_{16}) > 0] \right) : u \right\}", ("swap",)),
    "swap_regularised": Equation(r"\mathrm{swap} \cdot \exp\left( -\frac{(P - \mu)^2}{\sigma} \right)", ("swap",)),
    "sweet_grad_norm": Equation(rf"\sum_{{{_GATE}}} |g_w|", ("sweet",)),
    "logsynflow": Equation(
        rf"\sum_w \Big| w \log\left( 1 + \frac{{\partial R}}{{\partial w}} \right) \Big|, \quad {_FLOW}", ("freerea", "synflow")
    ),
    "linear_regions": Equation(r"\#\left\{ \operatorname{sign} z(x) : x \in \text{crops} \right\}", ("te_nas",)),
    "ntk_condition": Equation(rf"\frac{{\lambda_{{\max}}(\Theta)}}{{\lambda_{{\min}}(\Theta)}}, \quad {_NTK}", ("te_nas",)),
    "ntk_condition_init": Equation(
        rf"\frac{{\lambda_{{\max}}(\Theta)}}{{\lambda_{{\min}}(\Theta)}}, \quad {_NTK}, \quad \mu = 0,\; \sigma = 1", ("te_nas",)
    ),
    "vkdnw": Equation(
        r"-\sum_k q_k \log q_k, \quad q \propto \text{deciles of } \lambda(F), \quad "
        r"F = \frac{1}{N} \sum_n J_n^\top \left( \operatorname{diag}(p_n) - p_n p_n^\top \right) J_n",
        ("vkdnw",),
    ),
    "vkdnw_single": Equation(r"\#l + \frac{\mathrm{vkdnw}}{\log 9}", ("vkdnw",)),
    "w_pca": Equation(r"P \cdot \mathrm{v\_pca}", ("w_pca",)),
    "v_pca": Equation(
        r"\sum_l \min \left\{ k : \sum_{i \le k} \lambda_i(\operatorname{Cov} z_l) > "
        r"0.99 \sum_i \lambda_i(\operatorname{Cov} z_l) \right\}",
        ("w_pca",),
    ),
    "wrcor": Equation(
        r"\log \Big| \det \sum_i 2^i "
        r"\left( |\operatorname{corr} a_i| + \Big| \operatorname{corr} \frac{\partial L}{\partial a_i} \Big| \right) \Big|",
        ("wrcor",),
    ),
    "zen": Equation(
        r"\log \frac{1}{B} \sum_n \| f(x_n) - f(x_n + 0.01\, e_n) \|_1 + \sum_l \log \sqrt{\tfrac{1}{c_l} \sum_c v_{lc}}", ("zen",)
    ),
    "l_swag": Equation(
        r"\left( \sum_l \log \sum_{w \in l} \frac{1}{\sqrt{\operatorname{Var}_i |g_w(X_i)|}} \right) \cdot \mathrm{swap}",
        ("l_swag", "swap"),
    ),
    "zico_bc": Equation(r"\mathrm{zico} - \beta \sum_l \log \frac{H_l W_l}{\sqrt{C_l}}", ("zico_bc", "zico")),
}
"""Name -> equation, of every proxy in `PROXIES`."""
